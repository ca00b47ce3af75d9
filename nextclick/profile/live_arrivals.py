"""Accepted events as they lie in the landing log → the actions that live profiles take.

What silver will refuse is left out here, too: the limits come from the same contract and settings.
"""

from datetime import UTC, datetime
from typing import Annotated, Any, Final, NamedTuple

import msgspec
from msgspec import Meta

from nextclick.contracts import silver
from nextclick.contracts.events import IDS, MILLIS, Event, may_personalize, somebody
from nextclick.contracts.table import Column
from nextclick.profile import profile
from nextclick.profile.profile import Action
from nextclick.settings import EventsSettings, Settings

_WHOLE: Final = {"int": (1 << 31) - 1, "bigint": (1 << 63) - 1}
_REQUIRED: Final = ("event", "event_id")
_NUL: Final = b"\\u0000"


class Arrival(NamedTuple):
    """An action, and the keys of the profiles that it belongs to."""

    keys: tuple[bytes, ...]
    action: Action
    event: Event
    """What it was read from, with nobody's names left out."""


class Arrivals:
    """Reads payloads of the landing log."""

    def __init__(self, settings: Settings) -> None:
        limits = settings.events
        self._site = settings.site
        self._future_ms = limits.future_limit_minutes * 60_000
        self._oldest = round(datetime.fromisoformat(limits.oldest).replace(tzinfo=UTC).timestamp() * 1000)
        self._nobody = limits.nobody_words
        self._personalize = settings.consent.personalization
        self._decode = _decoder(limits).decode

    def read(self, payload: bytes, received_at: int) -> Arrival | None:
        """What the event adds to which profiles; None if it adds nothing, or silver will refuse it."""
        try:
            event = self._decode(payload)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return None
        occurred_at = event.client_time if event.occurred_at is None else event.occurred_at
        is_impossible = occurred_at < self._oldest or occurred_at > received_at + self._future_ms
        if (event.consent is not None or not self._personalize) and not may_personalize(
            event.consent, self._personalize
        ):
            return None
        visitor, user = somebody(event.visitor_id, event.user_id, self._nobody)
        if visitor is not event.visitor_id or user is not event.user_id:
            event = msgspec.structs.replace(event, visitor_id=visitor, user_id=user)
        if (
            is_impossible
            or not (user if visitor is None else visitor)
            or (_NUL in payload and _NUL in payload.replace(b"\\\\", b""))
        ):
            return None
        action = profile.action_of(event, received_at)
        return Arrival(profile.keys(event, self._site), action, event) if action else None


def _decoder(limits: EventsSettings) -> "msgspec.json.Decoder[Event]":
    """Decodes events, and refuses those that break a limit of silver.events."""
    columns = {column.name: column for column in silver.EVENTS.columns}
    fields: list[tuple[str, Any] | tuple[str, Any, Any]] = []
    for field in msgspec.structs.fields(Event):
        limited = field.type if field.name in ("consent", "unread_fields") else _limited(columns[field.name], limits)
        required = field.required
        fields.append((field.name, limited) if required else (field.name, limited | None, None))
    strict = msgspec.defstruct("StrictEvent", fields, bases=(Event,), frozen=True, kw_only=True)
    return msgspec.json.Decoder(strict)


def _limited(column: Column, limits: EventsSettings) -> Any:
    """The type of a field on the wire with the limits that silver holds it to."""
    if column.name == "properties":
        return Annotated[dict[str, str], Meta(max_length=limits.max_properties)]
    if column.type == "timestamp":
        return Annotated[int, Meta(ge=MILLIS[0], le=MILLIS[1])]
    if column.type in _WHOLE:
        return Annotated[
            int, Meta(ge=column.minimum, le=_WHOLE[column.type] if column.maximum is None else column.maximum)
        ]
    if column.type == "double":
        return Annotated[float, Meta(ge=column.minimum, le=column.maximum)]
    most = limits.max_id_chars if column.name in IDS else limits.max_text_chars
    return Annotated[str, Meta(max_length=most, min_length=int(column.name in _REQUIRED))]
