"""Who may send what: write keys, their sites and origins, how often, and which events."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

from collector.request.model import Request
from nextclick.contracts.events import Event, derived_id
from nextclick.settings import Collector, WriteKey
from nextclick.web import signatures
from nextclick.web.secret import Secret
from nextclick.web.site_keys import SiteKeys

SIGNATURE: Final = "user_signature"
"""The property of an event that signs its user."""
_LINKS: Final = ("identify", "alias")
"""Kinds that say who a visitor is, whatever fields they do it with."""
_DAY_MS: Final = 86_400_000


def key_hash(key: str) -> str:
    """What is kept of the write key of a reject: enough to find it again among those that are set."""
    return derived_id("write key", key)[:16]


class Grant(NamedTuple):
    """What a request may send: what its key allows; everything where no keys are set, or where it brings the secret key."""

    site: str | None = None
    """The site that events are of, whatever they say; None: as they say."""
    limits: WriteKey | None = None
    """None: no limits."""
    secret: str = ""
    """What users are signed with."""
    signature: str = ""
    """Of the user of all events that bring none of their own."""

    @property
    def may_refuse(self) -> bool:
        """Whether there is an event that may not be sent."""
        key = self.limits
        return key is not None and bool(key.kinds or key.users is not True or key.oldest_days)

    def refusal(self, event: Event, received_at: int) -> tuple[str, str] | None:
        """Why the event may not be sent: a reason code and a message; None where it may."""
        key = self.limits
        if key is None:
            return None
        if key.kinds and event.event not in key.kinds:
            return (
                "kind_not_allowed",
                f"This write key may not send {event.event!r}: its kinds are {', '.join(key.kinds)}.",
            )
        if (event.user_id or event.event in _LINKS) and not self._may_name_users(key, event):
            how = "without its user_signature" if key.users == "signed" else "at all"
            return "user_not_allowed", f"This write key may not name a user {how}: see its `users`."
        at = event.client_time if event.occurred_at is None else event.occurred_at
        if key.oldest_days and at < received_at - key.oldest_days * _DAY_MS:
            return "too_old", f"This write key may not send events older than its oldest_days = {key.oldest_days:g}."
        return None

    def _may_name_users(self, key: WriteKey, event: Event) -> bool:
        if key.users != "signed":
            return key.users
        signature = (event.properties or {}).get(SIGNATURE) or self.signature
        return signatures.is_signed(self.secret, key.site, event.user_id or "", signature)


EVERYTHING: Final = Grant()


class Keys:
    """Checks the key of a request and says what it may send."""

    def __init__(self, settings: Collector, rates: Path | None = None) -> None:
        """`rates` is the folder in which the workers count together how often each key asks."""
        self._keys = SiteKeys(settings.write_keys, "collector.write_keys", settings.requests_per_second, rates)
        self._secret = Secret(settings.secret_key, "collector.secret_key", rates)
        self._signs_with = settings.signs_with
        self._words = {key: re.compile(rf"(?<![\w-]){re.escape(key)}(?![\w-])") for key in settings.write_keys}
        """Each key as it stands in what cannot be read."""
        self._hashed = {key_hash(key): key for key in settings.write_keys}

    def grant(self, key: str | None, headers: Mapping[str, str]) -> Grant:
        """What a request with this key and these headers may send. Counts the request. Refused 401, 403 or 429."""
        known = self._keys.use(key, headers.get("origin"))
        if known is None:
            return EVERYTHING
        if self._secret.brought(headers.get("authorization", "")):
            return Grant(known.site)
        return Grant(known.site, known, self._signs_with, headers.get(signatures.HEADER, ""))

    def require_outer(self, key: str | None, headers: Mapping[str, str]) -> None:
        """Refused 401 or 429 where keys are set and the `key` outside of a body is none of them; None: the body may bring one."""
        if self._keys and key is not None and key not in self._words:
            self.grant(key, headers)

    def sender(self, request: Request, payload: str) -> tuple[bool, str | None]:
        """Of a request that could not be read: whether it is of somebody who may send, and the write key that stands in it."""
        if not self._keys:
            return True, None
        texts = (request.query, *request.headers.values(), payload)
        key = next((key for key, word in self._words.items() if any(map(word.search, texts))), None)
        return key is not None, key

    def count(self, key: str | None) -> None:
        """Count a request that could not be read, for the key that stands in it. Refused 429."""
        self._keys.count(key)

    def known(self, hashed: str | None) -> str | None:
        """The write key that a reject names by its hash."""
        return self._hashed.get(hashed or "")

    def require_operator(self, authorization: str) -> None:
        """Refused 401, 403 or 429 where keys are set and the Authorization header does not bring the secret key."""
        if self._keys:
            self.require_secret(authorization)

    def require_secret(self, authorization: str) -> None:
        """Refused 401, 403 or 429 unless the Authorization header brings the secret key."""
        self._secret.require(authorization)
