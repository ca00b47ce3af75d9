"""What the collector's dialects make of the demo's lines."""

from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import msgspec

from collector.dialects import dialect
from collector.request.model import Refused
from demo.traffic.trackers import TrackerRecord
from demo.traffic.trackers import request as as_sent
from tests.tracker_requests import LIMITS, request

Record = dict[str, Any]


def as_collected(lines: Iterable[TrackerRecord]) -> list[Record]:
    """The events of the lines, in their order; those that are broken too much to be one left out."""
    return [msgspec.to_builtins(event) for line in lines for event in _events(line)]


def _events(line: TrackerRecord) -> list[Any]:
    path, content_type, body = as_sent(line.tracker, [line.record])
    with suppress(Refused):
        return dialect(line.tracker).parse(request(path, body, content_type=content_type), LIMITS).events
    return []
