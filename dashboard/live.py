"""The last half hour by arrival, from the landing log itself: also what no job has read yet, and what is being written."""

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final

import msgspec

from nextclick.landing.reader import is_segment, parse
from nextclick.landing.writer import SegmentWriter

MINUTES: Final = 30
_MINUTE: Final = 60_000
_AGAIN_SECONDS: Final = 0.5
"""Between two looks, however many people watch."""
_MOST: Final = 10


class _LiveEvent(msgspec.Struct):
    """What is shown of an event."""

    event: str = ""
    site: str = ""
    visitor_id: str | None = None
    page_url: str | None = None
    item_id: str | None = None


@dataclass
class _Minute:
    """What came in a minute."""

    start: int
    """Milliseconds since 1970-01-01 UTC."""
    events: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    pages: Counter[str] = field(default_factory=Counter)
    items: Counter[str] = field(default_factory=Counter)
    visitors: set[tuple[str, str]] = field(default_factory=set)


class LiveWindow:
    """Follows a landing log as far as somebody watches; several threads may look."""

    def __init__(self, landing: Path, now: Callable[[], float] = time.time) -> None:
        self._landing, self._now = landing, now
        self._offsets: dict[str, int] = {}
        """Of each segment, by what its name begins with, open or published: the byte behind its last whole line that was read."""
        self._minutes: deque[_Minute] = deque()
        self._looked = 0.0
        self._lock = threading.Lock()

    def look(self) -> Mapping[str, Any]:
        """What came in the last half hour, the minute that runs included."""
        with self._lock:
            now = self._now()
            if now - self._looked >= _AGAIN_SECONDS:
                self._looked = now
                self._read(int(now * 1000))
            return self._sums(int(now * 1000))

    def _read(self, now: int) -> None:
        oldest = _start(now) - (MINUTES - 1) * _MINUTE
        while self._minutes and self._minutes[0].start < oldest:
            self._minutes.popleft()
        there: dict[str, int] = {}
        for path in self._files(oldest / 1000):
            segment = "-".join(path.stem.split("-")[:2])
            offset = there.get(segment, self._offsets.get(segment, 0))
            with suppress(FileNotFoundError), path.open("rb") as file:
                there[segment] = self._read_lines(file, offset, oldest)
        self._offsets = there

    def _files(self, oldest: float) -> Iterator[Path]:
        """Segments that changed since, those first that are being written: one that is published meanwhile comes twice, and is read on."""
        for folder in (self._landing / SegmentWriter.hidden, self._landing):
            for path in sorted(folder.glob("*.log")) if folder.is_dir() else ():
                is_log = folder.name == SegmentWriter.hidden or is_segment(path.name)
                with suppress(FileNotFoundError):
                    if is_log and path.stat().st_mtime >= oldest:
                        yield path

    def _read_lines(self, file: Any, offset: int, oldest: int) -> int:
        file.seek(offset)
        for line in file:
            if not line.endswith(b"\n"):
                break
            offset += len(line)
            record = parse(line[:-1])
            if record.received_at is not None and record.received_at >= oldest:
                self._count(record.received_at, record.payload)
        return offset

    def _count(self, received_at: int, payload: bytes) -> None:
        try:
            event = _DECODER.decode(payload)
        except msgspec.DecodeError:
            return
        minute = self._minute(_start(received_at))
        minute.events += 1
        minute.kinds[event.event] += 1
        if event.page_url:
            minute.pages[event.page_url.partition("?")[0].partition("#")[0]] += 1
        if event.item_id:
            minute.items[event.item_id] += 1
        if event.visitor_id:
            minute.visitors.add((event.site, event.visitor_id))

    def _minute(self, start: int) -> _Minute:
        """Writers of several processes may lie a moment apart."""
        for minute in reversed(self._minutes):
            if minute.start == start:
                return minute
        self._minutes.append(_Minute(start))
        self._minutes = deque(sorted(self._minutes, key=lambda minute: minute.start))
        return self._minute(start)

    def _sums(self, now: int) -> Mapping[str, Any]:
        by_start = {minute.start: minute for minute in self._minutes}
        starts = [_start(now) - back * _MINUTE for back in reversed(range(MINUTES))]
        recent = [by_start[start] for start in starts[-5:] if start in by_start]
        return {
            "events": sum(minute.events for minute in self._minutes),
            "visitors": len(set[tuple[str, str]]().union(*(minute.visitors for minute in self._minutes))),
            "visitors_now": len(set[tuple[str, str]]().union(*(minute.visitors for minute in recent))),
            "minutes": [(start, by_start[start].events if start in by_start else 0) for start in starts],
            "kinds": _commonest(minute.kinds for minute in self._minutes),
            "pages": _commonest(minute.pages for minute in self._minutes),
            "items": _commonest(minute.items for minute in self._minutes),
        }


_DECODER: Final = msgspec.json.Decoder(_LiveEvent)


def _start(milliseconds: int) -> int:
    return milliseconds // _MINUTE * _MINUTE


def _commonest(counters: Iterator[Counter[str]]) -> Sequence[tuple[str, int]]:
    return sum(counters, start=Counter[str]()).most_common(_MOST)


@cache
def live_window(landing: Path) -> LiveWindow:
    """One for all who watch a lake."""
    return LiveWindow(landing)
