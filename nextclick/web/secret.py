"""The secret key of what is not for pages."""

import hmac

from nextclick.web.answers import Refused


def require(secret: str, authorization: str, setting: str) -> None:
    """Refused 401 or 403 unless the Authorization header brings the secret key that `setting` names."""
    if not secret:
        variable = f"NEXTCLICK_{setting.upper().replace('.', '__')}"
        raise Refused(403, "closed", f"Set {setting} ({variable}) to open this.")
    if not hmac.compare_digest(authorization.encode(), f"Bearer {secret}".encode()):
        raise Refused(401, "bad_secret", "Send the secret key: `Authorization: Bearer …`.")
