"""What a dialect understood → what becomes durable. The door and a replay share it."""

from typing import Final

import msgspec

from collector.exchange import Parsed, Request
from collector.sinks import Batch
from nextclick.events import Reject, encode

RESERVED: Final = ("item_update", "served")
"""Kinds that only the catalogue and the system itself may say: no tracker."""


def batch(dialect: str, request: Request, parsed: Parsed, site: str | None, max_bytes: int, trusted: bool) -> Batch:
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
        if event.event in RESERVED and not trusted:
            rejects.append(
                _aside(payload, "reserved_kind", f"No tracker may send {event.event}: see docs/trackers.md.")
            )
        elif len(payload) > max_bytes:
            message = (
                f"The {event.event} event has {len(payload):,} bytes, above landing.max_event_bytes = {max_bytes:,}."
            )
            rejects.append(_aside(payload, "too_large", message))
        else:
            payloads.append(payload)
            visitors.append(event.visitor_id or event.user_id or "")
            identities.append(hash((whole.site, event.event_id, event.client_time)))
    return Batch(
        dialect,
        request.received_at,
        payloads,
        visitors,
        [encode(reject) for reject in rejects],
        [reject.reason for reject in rejects],
        identities,
    )


def _aside(payload: bytes, reason: str, message: str) -> Reject:
    """An event that was understood but not taken: a replay sends it as a plain one."""
    plain = {"method": "POST", "path": "/v1/events"}
    return Reject(reason=reason, message=message, payload=payload.decode(), request=plain)
