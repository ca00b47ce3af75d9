"""What passes between the server and a dialect: a request, what it means, and the answer.

A dialect is a module with ROUTES, `parse` and `refuse` (collector/dialects/__init__.py). It is pure: it
knows neither the network nor the disk, and the same request gives the same events.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from nextclick.contracts.events import Event, Reject
from nextclick.web.answers import HttpAnswer, Refused, problem

__all__ = ["HttpAnswer", "Parsed", "Refused", "Request", "RequestLimits", "problem"]


ANONYMOUS: Final = "sp-anonymous"
"""The header by which Snowplow's tracker asks that nothing of its visitor's network is kept."""
PERSONAL: Final = ("ip", "nuid", "tnuid")
"""What is that in its payloads."""


class EventLimits(msgspec.Struct, frozen=True, kw_only=True, cache_hash=True):
    """What the texts of an event are held to; the section `events` of the settings."""

    max_id_chars: int = 256
    max_text_chars: int = 4096
    max_properties: int = 200


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One request, its body whole and unpacked."""

    method: str
    path: str
    """Without the dialect's prefix: `/track`, also where `/mixpanel/track` was asked for."""
    query: str = ""
    """As it stood in the address, not decoded."""
    headers: Mapping[str, str] = {}
    """Names in lower case."""
    body: bytes = b""
    received_at: int
    """Milliseconds since 1970-01-01 UTC: the door's own clock."""
    token: str
    """Unique to the request: makes the ids of events that their client gave neither id nor time. A replay brings the same."""
    nobody: frozenset[str] = frozenset()
    """Ids that name nobody: events.nobody of the settings."""
    ip: str | None = None
    """The peer's address, truncated."""
    anonymous_id: str | None = None
    """Who asks, of those that say not who they are: for collector.request.cookieless.visitor_id; another one each day."""
    limits: EventLimits = EventLimits()
    key_hash: str | None = None
    """Of a replayed request, whose write key is not kept: what is."""

    @property
    def user_agent(self) -> str | None:
        return self.headers.get("user-agent") or None


class RequestLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What a dialect holds a request to; the sections `collector` and `landing` of the settings."""

    batch_events: int
    json_depth: int
    unpacked_bytes: int = 8 << 20
    unpack_ratio: int = 100
    json_values: int = 300_000


class Parsed(msgspec.Struct, kw_only=True):
    """What a request holds. `answer` is sent once all of it is durable."""

    events: list[Event] = []
    rejects: list[Reject] = []
    answer: HttpAnswer
    key: str | None = None
    """The write key that the request names, in its body, its query or its headers."""


_COUNTS: Final = ("accepted", "events_ingested", "num_records_imported", "tracked")
"""Names by which dialects tell how many records they took."""
_NAMING: Final = frozenset(
    {"rejected", "events_with_invalid_fields", "failed_records", "invalid_indices", "results", "error"}
)
"""Names by which dialects tell of records that they did not take."""


def naming(answer: HttpAnswer, rejects: Sequence[Reject]) -> HttpAnswer:
    """The answer with the rejects of its dialect, where it is an object of JSON that has no way of its own to name them."""
    said = _object(answer)
    return answer if said is None or not _NAMING.isdisjoint(said) else _with(answer, said, rejects)


def without_aside(answer: HttpAnswer, aside: Sequence[Reject], counted: bool = True) -> HttpAnswer:
    """The answer, where it is an object of JSON, with the rejects that its dialect did not know of: 200 hides no record.

    `counted`: the dialect took them for good ones.
    """
    said = _object(answer)
    if said is None:
        return answer
    taken = len(aside) if counted else 0
    said |= {name: max(0, said[name] - taken) for name in _COUNTS if name in said}
    return _with(answer, said, aside)


def _object(answer: HttpAnswer) -> dict[str, Any] | None:
    try:
        said = msgspec.json.decode(answer.body)
    except msgspec.DecodeError:
        return None
    return said if isinstance(said, dict) else None


def _with(answer: HttpAnswer, said: dict[str, Any], rejects: Sequence[Reject]) -> HttpAnswer:
    named = [{"error": reject.reason, "message": reject.message} for reject in rejects]
    return msgspec.structs.replace(
        answer, body=msgspec.json.encode(said | {"rejected": [*said.get("rejected", ()), *named]})
    )
