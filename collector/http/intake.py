"""A request whose body is there → what becomes durable. The door and a replay share it."""

import logging
from typing import Final

import msgspec

from collector.dialects import DialectRoute, Router
from collector.http.write_keys import Keys
from collector.request.model import HttpAnswer, Parsed, Refused, Request, RequestLimits
from collector.sinks import RequestBatch
from nextclick.contracts.events import Reject, encode
from nextclick.settings import Settings

RESERVED: Final = ("item_update", "served")
"""Kinds that only the catalogue and the system itself may say: no tracker."""

_log: Final = logging.getLogger("_granian.collector")


class Intake:
    """Lets a request's dialect say what it means, and its write key whose it is."""

    def __init__(self, settings: Settings, keys: Keys) -> None:
        self._limits = msgspec.convert(settings.collector, RequestLimits, from_attributes=True)
        self._max_bytes = settings.landing.max_event_bytes
        self._keys = keys
        self._router = Router()

    def routes(self, path: str) -> tuple[DialectRoute, ...]:
        """The dialects that answer at `path`."""
        return self._router.find(path)

    def take(self, route: DialectRoute, request: Request, origin: str | None) -> tuple[HttpAnswer, RequestBatch]:
        """What the request brings, and the answer once that is durable. Refused where it is not taken at all."""
        parsed = self._understood(route, request)
        site = None if route.is_secret else self._keys.site(parsed.key, origin)
        return parsed.answer, self._batch(route, request, parsed, site)

    def _understood(self, route: DialectRoute, request: Request) -> Parsed:
        """What the dialect makes of it. A mistake of the dialect's own costs no event: the request goes to quarantine."""
        try:
            return route.dialect.parse(request, self._limits)
        except Refused:
            raise
        except Exception as error:
            _log.exception("The dialect %s failed on a request to %s", route.name, route.path)
            name = type(error).__name__
            raise Refused(
                400, "dialect_error", f"The dialect {route.name} failed: {name}. This is a mistake of ours."
            ) from error

    def _batch(self, route: DialectRoute, request: Request, parsed: Parsed, site: str | None) -> RequestBatch:
        """Encode events and rejects; what no tracker may say, or is too large, becomes a reject.

        `site` is the write key's, and wins over what an event says; None: as the event says.
        """
        payloads: list[bytes] = []
        visitors: list[str] = []
        identities: list[int] = []
        rejects: list[Reject] = list(parsed.rejects)
        for event in parsed.events:
            whole = msgspec.structs.replace(event, site=site) if site else event
            payload = encode(whole)
            if event.event in RESERVED and not route.is_secret:
                message = f"No tracker may send {event.event}: see docs/trackers/README.md."
                rejects.append(_aside(payload, "reserved_kind", message))
            elif len(payload) > self._max_bytes:
                message = f"The {event.event} event has {len(payload):,} bytes, above landing.max_event_bytes = {self._max_bytes:,}."
                rejects.append(_aside(payload, "too_large", message))
            else:
                payloads.append(payload)
                visitors.append(event.visitor_id or event.user_id or "")
                identities.append(hash((whole.site, event.event_id, event.client_time)))
        return RequestBatch(
            route.name,
            request.received_at,
            tuple(payloads),
            tuple(visitors),
            tuple(encode(reject) for reject in rejects),
            tuple(reject.reason for reject in rejects),
            tuple(identities),
        )


def unread(route: DialectRoute, request: Request, reject: Reject) -> RequestBatch:
    """A request that was refused as a whole."""
    return RequestBatch(route.name, request.received_at, (), (), (encode(reject),), (reject.reason,))


def _aside(payload: bytes, reason: str, message: str) -> Reject:
    """An event that was understood but not taken: a replay sends it as a plain one."""
    plain = {"method": "POST", "path": "/v1/events"}
    return Reject(reason=reason, message=message, payload=payload.decode(), request=plain)
