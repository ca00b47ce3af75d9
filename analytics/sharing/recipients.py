"""Who may read shares: each has a token until its end. Only the token's digest is kept, so that the lake opens nothing."""

import hashlib
import re
import secrets
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from nextclick.errors import LakeError, UsageError
from nextclick.lake import files, locks
from nextclick.lake.paths import Lake

NAME: Final = r"^[a-z][a-z0-9_-]{0,63}$"
_LOCK: Final = "share_recipients"


class Recipient(msgspec.Struct, frozen=True, kw_only=True):
    """A partner who has a token."""

    name: Annotated[str, Meta(pattern=NAME)]
    token_sha256: str
    """Hexadecimal; of 256 random bits, so nobody finds the token by it."""
    created_at: datetime
    ends_at: datetime
    """From then on the token opens nothing."""


class Recipients:
    """The recipients of a lake, in a file that its owner alone may read."""

    def __init__(self, lake: Lake, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._lake, self._now = lake, now
        self._address = str(lake.state / "share_recipients.json")
        self._read: tuple[int, Mapping[str, Recipient]] = (-1, {})

    def all(self) -> list[Recipient]:
        """By name, also those whose token has ended."""
        return sorted(self._there().values(), key=lambda recipient: recipient.name)

    def is_active(self, recipient: Recipient) -> bool:
        return self._now() < recipient.ends_at

    def add(self, name: str, days: float) -> tuple[Recipient, str]:
        """A new recipient and the token, which is said this once. UsageError for no name, and for that of one who has a token."""
        if not re.fullmatch(NAME, name):
            raise UsageError(
                f"{name!r} is no name of a recipient. Lower-case letters, digits, _ and - make one, such as acme."
            )
        token, now = secrets.token_urlsafe(32), self._now()
        recipient = Recipient(
            name=name, token_sha256=_digest(token), created_at=now, ends_at=now + timedelta(days=days)
        )
        with locks.hold(self._lake.own_locks, _LOCK, purpose="share recipient"):
            there = self._there()
            if name in there and self.is_active(there[name]):
                raise UsageError(
                    f"{name} has a token until {there[name].ends_at:%Y-%m-%d %H:%M} UTC. "
                    f"For another one call `nextclick share recipient end {name}` first."
                )
            self._write({**there, name: recipient})
        return recipient, token

    def end(self, name: str) -> Recipient:
        """End the recipient's token now, with every link to a file that was handed out by it. UsageError where it has none."""
        with locks.hold(self._lake.own_locks, _LOCK, purpose="share recipient"):
            there = self._there()
            if name not in there or not self.is_active(there[name]):
                raise UsageError(f"{name} has no token. `nextclick share recipient list` shows who has one.")
            ended = msgspec.structs.replace(there[name], ends_at=self._now())
            self._write({**there, name: ended})
        return ended

    def of_token(self, token: str) -> Recipient | None:
        """Whose token it is, whether it has ended or not."""
        digest = _digest(token)
        return next((each for each in self._there().values() if each.token_sha256 == digest), None)

    def named(self, name: str) -> Recipient | None:
        return self._there().get(name)

    def _there(self) -> Mapping[str, Recipient]:
        changed = files.changed_at(self._address)
        if self._read[0] != changed:
            self._read = changed, self._parsed()
        return self._read[1]

    def _parsed(self) -> Mapping[str, Recipient]:
        stored = files.read(self._address)
        try:
            return msgspec.json.decode(stored, type=dict[str, Recipient]) if stored else {}
        except msgspec.MsgspecError as error:
            raise LakeError(
                f"{self._address} cannot be read: {error}. Bring it back from a copy, or remove it and add the recipients anew."
            ) from error

    def _write(self, recipients: Mapping[str, Recipient]) -> None:
        self._lake.prepare()
        files.write(self._address, msgspec.json.encode(recipients))


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def profile(endpoint: str, recipient: Recipient, token: str) -> bytes:
    """The profile file of the protocol, which clients are handed."""
    content = {
        "shareCredentialsVersion": 1,
        "endpoint": endpoint,
        "bearerToken": token,
        "expirationTime": f"{recipient.ends_at:%Y-%m-%dT%H:%M:%S.000Z}",
    }
    return msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n"
