"""What the collector's dialects make of the demo's lines."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any, Final

import msgspec

from collector.dialects import dialect
from collector.request.model import Refused
from demo.traffic.trackers import TRACKERS, TrackerRecord
from demo.traffic.trackers import request as as_sent
from tests.tracker_requests import LIMITS, request

Record = dict[str, Any]
_TOGETHER: Final = 1_000
"""Records that the demo sends together, those of one tracker in one request."""


def as_collected(lines: Sequence[TrackerRecord]) -> list[Record]:
    """The events of the lines, those of one tracker in their order; those that are broken too much to be one left out."""
    return [
        msgspec.to_builtins(event)
        for start in range(0, len(lines), _TOGETHER)
        for event in _events(lines[start : start + _TOGETHER])
    ]


def _events(lines: Sequence[TrackerRecord]) -> Iterator[Any]:
    limits = msgspec.structs.replace(LIMITS, batch_events=2 * _TOGETHER)  # an order has several events
    for tracker in TRACKERS:
        if records := [line.record for line in lines if line.tracker == tracker]:
            path, content_type, body = as_sent(tracker, records)
            with suppress(Refused):
                yield from dialect(tracker).parse(request(path, body, content_type=content_type), limits).events
