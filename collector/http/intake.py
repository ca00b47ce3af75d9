"""A request whose body is there → what becomes durable. The door and a replay share it."""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

import msgspec
from msgspec.structs import force_setattr

from collector.dialects import DialectRoute, Router
from collector.http.one_by_one import Mistakes, one_by_one
from collector.http.reject_budget import RejectBudget
from collector.http.write_keys import EVERYTHING, SIGNATURE, Grant, Keys, key_hash
from collector.request.model import (
    ANONYMOUS,
    PERSONAL,
    EventLimits,
    HttpAnswer,
    Parsed,
    Refused,
    Request,
    RequestLimits,
    naming,
    without_aside,
)
from collector.sinks import RequestBatch
from nextclick.contracts.events import AUDIENCE_CHANGES, TRIGGER_DECISION, Event, Reject, encode
from nextclick.harmless import is_harmless
from nextclick.redaction import redacted, redacted_event, redacted_form
from nextclick.settings import Settings

RESERVED: Final = ("item_update", "served", TRIGGER_DECISION, *AUDIENCE_CHANGES)
"""Kinds that only the catalogue and the system itself may say: no tracker."""
KEY_HASH: Final = "key"
"""What a reject's request has of its write key."""
_LONGEST_QUERY: Final = 1024
_LONGEST_PARAMETER: Final = 200


class Intake:
    """Lets a request's dialect say what it means, and its write key whose it is."""

    def __init__(
        self,
        settings: Settings,
        keys: Keys,
        budget: RejectBudget | None = None,
        lose: Callable[[str], None] = lambda _: None,
    ) -> None:
        """`budget` says which rejects are kept (None: all); `lose` hears why another is not."""
        self._limits = msgspec.convert(settings.collector, RequestLimits, from_attributes=True)
        self.event_limits = msgspec.convert(settings.events, EventLimits, from_attributes=True)
        self._max_bytes = settings.landing.max_event_bytes
        self._keys = keys
        self._budget = budget
        self._lose = lose
        self._mistakes = Mistakes()
        self._router = Router()

    def routes(self, path: str) -> tuple[DialectRoute, ...]:
        """The dialects that answer at `path`."""
        return self._router.find(path)

    def take(self, route: DialectRoute, request: Request) -> tuple[HttpAnswer, RequestBatch]:
        """What the request brings, and the answer once that is durable. Refused where it is not taken at all."""
        parsed = self._understood(route, request)
        key = self._keys.known(request.key_hash) or parsed.key
        grant = EVERYTHING if route.is_secret else self._keys.grant(key, request.headers)
        return self._batch(route, request, parsed, grant, key if grant.site else None)

    def unread(self, route: DialectRoute, request: Request, reject: Reject) -> RequestBatch:
        """A request that was refused as a whole: kept where it is somebody's who may send. Counts it. Refused 429."""
        is_known, key = (True, None) if route.is_secret else self._keys.sender(request, reject.payload)
        if not route.is_secret:
            self._keys.count(key)
        if not is_known:
            self._lose("unknown_key")
        kept = self._kept([reject] if is_known else [], request, key)
        return RequestBatch(route.name, request.received_at, (), (), *kept)

    def _understood(self, route: DialectRoute, request: Request) -> Parsed:
        """What the dialect makes of it. A mistake of the dialect's own costs the record that shows it: it goes to quarantine."""
        if request.limits is not self.event_limits:
            request = msgspec.structs.replace(request, limits=self.event_limits)
        try:
            return route.dialect.parse(request, self._limits)
        except Refused:
            raise
        except Exception as error:
            refused = self._mistakes.log(route, error)
            if (parsed := one_by_one(route, request, self._limits, self._mistakes)) is None:
                raise refused from error
            return parsed

    def _batch(
        self, route: DialectRoute, request: Request, parsed: Parsed, grant: Grant, key: str | None
    ) -> tuple[HttpAnswer, RequestBatch]:
        """Encode events and rejects; what no tracker, or not with this key, may say, or is too large, becomes a reject."""
        payloads: list[bytes] = []
        visitors: list[str] = []
        identities: list[int] = []
        unread: list[str] = []
        aside: list[Reject] = []
        is_clean = route.name == "plain" and is_harmless(request.body)
        site, reserved = grant.site, () if route.is_secret else RESERVED
        is_limited = grant.limits is not None and grant.may_refuse
        taken = 0
        if is_clean and not is_limited:
            taken = self._as_they_stand(parsed.events, site, payloads, visitors, identities)
        for event in parsed.events[taken:]:
            refusal = grant.refusal(event, request.received_at) if is_limited else None
            whole = event if is_clean and event.properties is None else _unsigned(redacted_event(event))
            whole = msgspec.structs.replace(whole, site=site) if site else whole
            payload = encode(whole)
            if event.event in reserved:
                message = f"No tracker may send {event.event}: see docs/trackers/README.md."
                aside.append(_aside(payload, "reserved_kind", message))
            elif refusal:
                aside.append(_aside(payload, *refusal))
            elif len(payload) > self._max_bytes:
                message = f"The {event.event} event has {len(payload):,} bytes, above landing.max_event_bytes = {self._max_bytes:,}."
                aside.append(_aside(payload, "too_large", message))
            else:
                payloads.append(payload)
                visitors.append(event.visitor_id or event.user_id or "")
                identities.append(hash((whole.site, event.event_id, event.client_time)))
                if event.unread_fields:
                    unread += event.unread_fields
        answer = naming(parsed.answer, parsed.rejects) if parsed.rejects else parsed.answer
        answer = without_aside(answer, aside) if aside else answer
        rejects = (*parsed.rejects, *aside)
        kept = self._kept(rejects, request, key) if rejects else ((), ())
        return answer, RequestBatch(
            route.name, request.received_at, tuple(payloads), tuple(visitors), *kept, tuple(identities), tuple(unread)
        )

    def _as_they_stand(
        self,
        events: Sequence[Event],
        site: str | None,
        payloads: list[bytes],
        visitors: list[str],
        identities: list[int],
    ) -> int:
        """The short way of events that are kept as they stand, which most are; how many they are before the first that is not."""
        add, most = payloads.append, self._max_bytes
        for event in events:
            if event.properties or event.unread_fields or event.event in RESERVED:
                break
            if site:
                force_setattr(event, "site", site)  # nobody else has it
            payload = encode(event)
            if len(payload) > most:
                break
            add(payload)
            visitors.append(event.visitor_id or event.user_id or "")
            identities.append(hash((event.site, event.event_id, event.client_time)))
        return len(payloads)

    def _kept(
        self, rejects: Iterable[Reject], request: Request, key: str | None
    ) -> tuple[tuple[bytes, ...], tuple[str, ...]]:
        """The rejects that the sender's budget has room for, without what is personal or secret in them, and their reasons."""
        kept = []
        for reject in rejects:
            if self._budget and not self._budget.admits(key or request.ip or "", len(reject.payload)):
                self._lose("over_budget")
            else:
                kept.append(_private(reject, request, key))
        return tuple(map(encode, kept)), tuple(reject.reason for reject in kept)


def _unsigned(event: Event) -> Event:
    """The event without its user's signature, which opens answers and is nobody's to read."""
    if not event.properties or SIGNATURE not in event.properties:
        return event
    rest = {name: value for name, value in event.properties.items() if name != SIGNATURE}
    return msgspec.structs.replace(event, properties=rest or None)


def _private(reject: Reject, request: Request, key: str | None) -> Reject:
    """The reject without what is personal or secret; of its write key there is a hash."""
    personal = PERSONAL if ANONYMOUS in request.headers else ()
    payload = redacted(reject.payload, personal)
    around = dict(reject.request or {})
    if query := _short(redacted_form(around.pop("query", ""), personal)):
        around["query"] = query
    if key:
        around[KEY_HASH] = key_hash(key)
    is_there = bool(payload) or not reject.payload
    return msgspec.structs.replace(
        reject,
        message=redacted(reject.message),
        payload=payload,
        replayable=reject.replayable and is_there,
        request=around or None,
    )


def _short(query: str) -> str:
    """The query without its long parameters, which hold events: each reject of a request repeats it."""
    if len(query) <= _LONGEST_QUERY:
        return query
    kept = [part for part in query.split("&") if len(part) <= _LONGEST_PARAMETER]
    return "&".join(kept)[:_LONGEST_QUERY]


def _aside(payload: bytes, reason: str, message: str) -> Reject:
    """An event that was understood but not taken: a replay sends it as a plain one, with the same write key."""
    plain = {"method": "POST", "path": "/v1/events"}
    return Reject(reason=reason, message=message, payload=payload.decode(), request=plain)
