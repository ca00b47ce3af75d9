"""Quick looks that leave alone what holds no secret and no whole address: most of what trackers send; redaction.py looks closer."""

import re
from typing import Final

_DOTS: Final = re.compile(r"\.\d{1,3}\.\d")
_COLONS: Final = re.compile(r":[0-9a-f]{0,4}:", re.IGNORECASE)
_MARKS: Final = tuple(b"?#@%\\\0")
"""As numbers: bytes that are looked for in bytes as one of them take five times as long."""
_DOTTED: Final = re.compile(rb"\.\d{1,3}\.\d{1,3}\.")
_NAMED_HOST: Final = r"//(?=[^/?#\s\"\-_]*+[-_])[^/?#\s\"]{0,253}[-_]\d{1,3}[-_]\d{1,3}[-_]\d"
"""The name of a host that may be made of an address, such as `ip-203-0-113-9.example`; in paths such numbers are days and sizes.

Most hosts have no dash, and are left at once: each event pays for this look.
"""
_NAMED, _NAMED_IN_BYTES = re.compile(_NAMED_HOST), re.compile(_NAMED_HOST.encode())
_HOSTS_NAME: Final = re.compile(r"\d([-_])\d{1,3}\1\d{1,3}\1\d{1,3}\.[a-z]|ip[-_]\d{1,3}[-_]\d{1,3}[-_]\d")
"""Of such a host where no address of the web says that it is one; four numbers with dashes alone may be a part's."""


def _is_a_hosts_name(small: str) -> bool:
    if "//" in small:
        return _NAMED.search(small) is not None
    return ("." in small or "ip-" in small or "ip_" in small) and _HOSTS_NAME.search(small) is not None


def is_harmless(body: bytes) -> bool:
    """Whether no URL in a body can hold anything to take out: asked once for all of its events.

    >>> is_harmless(b'{"page_url":"https://a.example/lamp"}'), is_harmless(b'{"page_url":"https://a.example/?q=1"}')
    (True, False)
    """
    return not (
        any(map(body.__contains__, _MARKS))
        or body.find(b"[", 1) > 0  # an address of IPv6 in a URL
        or (b";" in body and b";jsessionid" in body.lower())
        or _DOTTED.search(body)
        or _NAMED_IN_BYTES.search(body)
    )


def may_hold(text: str) -> bool:
    """Whether a text, or one of several in lines, can hold anything to take out, which most do not: so the closer look is rare."""
    if len(text) < 2:
        return False
    small = text.casefold()
    return (
        "?" in text
        or "#" in text
        or "@" in text
        or "%" in text
        or "token" in small  # every name of redaction.SECRET_FIELD has one of these
        or "secret" in small
        or "pass" in small
        or "pwd" in small
        or "key" in small
        or "sessionid" in small
        or "user_signature" in small
        or "auth" in small
        or "jwt" in small
        or "otp" in small
        or (text.count(".") > 1 and _DOTS.search(text) is not None)
        or (text.count("-") + text.count("_") > 2 and _is_a_hosts_name(small))
        or (text.count(":") > 1 and _COLONS.search(text) is not None)
        or text.startswith("ey")  # base64 of an object
        or "\ney" in text
    )
