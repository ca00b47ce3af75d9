"""A request whose body is there → what becomes durable. The door and a replay share it."""

import logging
from typing import Final

import msgspec

from collector.dialects import DialectRoute, Router
from collector.http.write_keys import SIGNATURE, Grant, Keys
from collector.request.model import EventLimits, HttpAnswer, Parsed, Refused, Request, RequestLimits
from collector.sinks import RequestBatch
from nextclick.contracts.events import Event, Reject, encode
from nextclick.settings import Settings

RESERVED: Final = ("item_update", "served")
"""Kinds that only the catalogue and the system itself may say: no tracker."""

KEY_HEADER: Final = "x-write-key"

_log: Final = logging.getLogger("_granian.collector")


class Intake:
    """Lets a request's dialect say what it means, and its write key whose it is."""

    def __init__(self, settings: Settings, keys: Keys) -> None:
        self._limits = msgspec.convert(settings.collector, RequestLimits, from_attributes=True)
        self._held_to = msgspec.convert(settings.events, EventLimits, from_attributes=True)
        self._max_bytes = settings.landing.max_event_bytes
        self._keys = keys
        self._router = Router()

    def routes(self, path: str) -> tuple[DialectRoute, ...]:
        """The dialects that answer at `path`."""
        return self._router.find(path)

    def take(self, route: DialectRoute, request: Request) -> tuple[HttpAnswer, RequestBatch]:
        """What the request brings, and the answer once that is durable. Refused where it is not taken at all."""
        parsed = self._understood(route, request)
        grant = Grant() if route.is_secret else self._keys.grant(parsed.key, request.headers)
        return parsed.answer, self._batch(route, request, parsed, grant)

    def _understood(self, route: DialectRoute, request: Request) -> Parsed:
        """What the dialect makes of it. A mistake of the dialect's own costs no event: the request goes to quarantine."""
        try:
            return route.dialect.parse(msgspec.structs.replace(request, limits=self._held_to), self._limits)
        except Refused:
            raise
        except Exception as error:
            _log.exception("The dialect %s failed on a request to %s", route.name, route.path)
            name = type(error).__name__
            raise Refused(
                400, "dialect_error", f"The dialect {route.name} failed: {name}. This is a mistake of ours."
            ) from error

    def _batch(self, route: DialectRoute, request: Request, parsed: Parsed, grant: Grant) -> RequestBatch:
        """Encode events and rejects; what no tracker, or not with this key, may say, or is too large, becomes a reject."""
        payloads: list[bytes] = []
        visitors: list[str] = []
        identities: list[int] = []
        unread: list[str] = []
        rejects: list[Reject] = list(parsed.rejects)
        for event in parsed.events:
            refusal = grant.refusal(event, request.received_at)
            whole = _unsigned(msgspec.structs.replace(event, site=grant.site) if grant.site else event)
            payload = encode(whole)
            if event.event in RESERVED and not route.is_secret:
                message = f"No tracker may send {event.event}: see docs/trackers/README.md."
                rejects.append(_aside(payload, "reserved_kind", message, parsed.key))
            elif refusal:
                rejects.append(_aside(payload, *refusal, parsed.key))
            elif len(payload) > self._max_bytes:
                message = f"The {event.event} event has {len(payload):,} bytes, above landing.max_event_bytes = {self._max_bytes:,}."
                rejects.append(_aside(payload, "too_large", message, parsed.key))
            else:
                payloads.append(payload)
                visitors.append(event.visitor_id or event.user_id or "")
                identities.append(hash((whole.site, event.event_id, event.client_time)))
                unread += event.unread_fields or ()
        return RequestBatch(
            route.name,
            request.received_at,
            tuple(payloads),
            tuple(visitors),
            tuple(encode(reject) for reject in rejects),
            tuple(reject.reason for reject in rejects),
            tuple(identities),
            tuple(unread),
        )


def _unsigned(event: Event) -> Event:
    """The event without its user's signature, which opens answers and is nobody's to read."""
    if not event.properties or SIGNATURE not in event.properties:
        return event
    rest = {name: value for name, value in event.properties.items() if name != SIGNATURE}
    return msgspec.structs.replace(event, properties=rest or None)


def unread(route: DialectRoute, request: Request, reject: Reject) -> RequestBatch:
    """A request that was refused as a whole."""
    return RequestBatch(route.name, request.received_at, (), (), (encode(reject),), (reject.reason,))


def _aside(payload: bytes, reason: str, message: str, key: str | None) -> Reject:
    """An event that was understood but not taken: a replay sends it as a plain one, with the same write key."""
    plain = {"method": "POST", "path": "/v1/events"} | ({KEY_HEADER: key} if key else {})
    return Reject(reason=reason, message=message, payload=payload.decode(), request=plain)
