"""The landing log: the half that writes it (nextclick/landing/reader.py reads it).

A segment grows in a hidden folder under an OS file lock, is fsynced, and is renamed into the
log, whose folder is fsynced: a reader sees all of it or nothing. Any number of writers, each
with a segment of its own. What a killed process left behind is recovered by the next writer.
"""

import errno
import re
from collections.abc import Callable, Iterable, Iterator, Set
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import ClassVar, Final, Protocol, Self
from zlib import crc32

from nextclick.errors import LakeError
from nextclick.landing.reader import segments
from nextclick.landing.segment import OpenSegment, claim, create, try_disk

_SOURCE: Final = re.compile(r"[!-~]{1,64}")
_NEWLINE: Final = ord("\n")
"""As a number: a byte that is looked for in bytes as one of them takes five times as long."""
_FRAME_BYTES: Final = 128
"""At most: CRC 8, position 10, time 16, source 64, spaces and newline 5."""


class LogLimits(Protocol):
    """Bounds of a log, in bytes; `Settings.landing` is one."""

    @property
    def segment_bytes(self) -> int: ...
    @property
    def max_total_bytes(self) -> int: ...


class SegmentWriter:
    """Appends records to a log and publishes each segment as soon as it is full; one thread at a time.

    `append` and `extend` buffer, `sync` makes durable (acknowledge after it), `roll` and `close`
    publish. When writing fails, what came after the last `sync` is dropped with a LakeError, the
    descriptor is retired, and the next call starts a new segment. Create it after forking.
    """

    hidden: ClassVar[str] = ".open"

    def __init__(self, folder: Path, limits: LogLimits, published: Callable[[str], None] = lambda _: None) -> None:
        """`published` is told the name of each segment of this writer's own, as soon as it is in the log."""
        self.folder = folder
        self._limits = limits
        self._published = published
        self._segment: OpenSegment | None = None
        self._room = 0
        """Bytes that the open segment may reach."""
        self._retired = False
        with _clearly(folder):
            (folder / self.hidden).mkdir(parents=True, exist_ok=True)
        self._recover()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def append(self, payload: bytes, source: str, received_at: int) -> None:
        """Buffer one record: JSON without a raw newline; `received_at` in milliseconds since 1970-01-01 UTC."""
        self.extend((payload,), source, received_at)

    def extend(self, payloads: Iterable[bytes], source: str, received_at: int) -> None:
        """Buffer records of one source and one time of arrival."""
        self.extend_all(((payloads, source, received_at),))

    def extend_all(self, batches: Iterable[tuple[Iterable[bytes], str, int]]) -> None:
        """Buffer the payloads of each batch, with their source and time of arrival."""
        with self._retiring():
            for payloads, source, received_at in batches:
                head = b"%d %b " % (received_at, _encoded(source))
                for payload in payloads:
                    if _NEWLINE in payload:
                        raise ValueError("a payload is one line: a newline inside would end the record")
                    segment = self._segment
                    if segment is None or segment.size + len(payload) + _FRAME_BYTES > self._room:
                        segment = self._next_segment(len(payload) + _FRAME_BYTES)
                    body = b"%d %b%b" % (segment.lines, head, payload)
                    segment.add(b"%08x %b\n" % (crc32(body), body))

    def fits(self, payloads: Iterable[bytes]) -> bool:
        """Whether these records still fit the open segment; true where none is open."""
        need = sum(len(payload) + _FRAME_BYTES for payload in payloads)
        return self._segment is None or self._segment.size + need <= self._room

    def sync(self) -> None:
        """Make everything appended so far durable."""
        with self._retiring():
            if self._segment:
                self._segment.sync()

    def probe(self) -> None:
        """Write, fsync and remove a few bytes in the log's folder: a LakeError if a record could not be made durable now."""
        with _clearly(self.folder):
            if self._free_bytes() < _FRAME_BYTES:
                raise self._full()
            try_disk(self.folder / self.hidden)

    def roll(self) -> None:
        """Publish what was appended so far; the next record starts a new segment."""
        if self._retired:
            self._recover()
        with self._retiring():
            if self._segment:
                self._segment.sync()
                self._finish(self._segment)
                self._segment = None

    def close(self) -> None:
        """Publish what is left."""
        self.roll()

    def _finish(self, segment: OpenSegment) -> None:
        segment.publish(self.folder)
        self._published(segment.name)

    def _recover(self) -> None:
        recover(self.folder)
        self._retired = False

    def _next_segment(self, size: int) -> OpenSegment:
        """A new segment with room for `size` bytes; the one before is published."""
        self.roll()
        free = self._free_bytes()
        if size > free:
            raise self._full()
        self._room = min(self._limits.segment_bytes, free)
        self._segment = create(self.folder, self.folder / self.hidden)
        return self._segment

    def _full(self) -> LakeError:
        return LakeError(
            f"The log {self.folder} has reached landing.max_total_bytes = {self._limits.max_total_bytes:,}. "
            "Raise the limit in conf/, or remove segments that the tables already hold."
        )

    def _free_bytes(self) -> int:
        if not self._limits.max_total_bytes:
            return 1 << 62
        hidden = sum(path.stat().st_size for path in (self.folder / self.hidden).glob("*.log"))
        return self._limits.max_total_bytes - hidden - sum(segment.bytes for segment in segments(self.folder))

    @contextmanager
    def _retiring(self) -> Iterator[None]:
        """Errors of the operating system as LakeErrors; after any, the open segment is retired."""
        try:
            with _clearly(self.folder):
                yield
        except LakeError:
            if self._segment:
                self._segment.retire()
                self._segment, self._retired = None, True
            raise


class StagedWriter(SegmentWriter):
    """Appends records that count only once their transaction does: nothing is published before `publish`.

    `seal` makes the segments durable and tells their names; the owner writes these into a journal
    of its own, which is the commit, and calls `publish`. `settle` ends what a killed owner left.
    """

    hidden = ".staged"

    def __init__(self, folder: Path, limits: LogLimits) -> None:
        super().__init__(folder, limits)
        self._sealed: list[OpenSegment] = []

    def seal(self) -> list[str]:
        """Make all records durable; the names under which their segments will be published."""
        self.roll()
        return [segment.name for segment in self._sealed]

    def publish(self) -> None:
        """Publish the sealed segments, after their names are in the owner's journal."""
        with _clearly(self.folder):
            for segment in self._sealed:
                segment.publish(self.folder)
        self._sealed.clear()

    def close(self) -> None:
        """Let go of what is not published: the journal says, through `settle`, what becomes of it."""
        for segment in filter(None, [*self._sealed, self._segment]):
            segment.release()
        self._sealed, self._segment = [], None

    def _finish(self, segment: OpenSegment) -> None:
        self._sealed.append(segment)

    def _recover(self) -> None:
        """What a killed owner left is settled by its journal, not by the next writer."""


def recover(folder: Path) -> None:
    """Publish what killed or retired writers of the log left in its hidden folder, unless a live writer holds it.

    The torn tail behind the last newline was never acknowledged and is dropped. A complete line whose
    CRC fails stays: it may have been acknowledged, and silver quarantines it.
    """
    _finish_orphans(folder, SegmentWriter.hidden, lambda segment: segment.lines > 0)


def settle(folder: Path, committed: Callable[[], Set[str]]) -> None:
    """End the transactions of killed `StagedWriter`s: publish the segments named in `committed`, drop the others.

    `committed` is asked after a segment is claimed: its owner is dead by then, and its journal final.
    """
    _finish_orphans(folder, StagedWriter.hidden, lambda segment: segment.name in committed())


def _finish_orphans(folder: Path, hidden: str, counts: Callable[[OpenSegment], bool]) -> None:
    with _clearly(folder):
        for path in sorted((folder / hidden).glob("*.log")):
            segment = claim(path)
            if segment and counts(segment):
                segment.publish(folder)
            elif segment:
                segment.discard()


@lru_cache(256)
def _encoded(source: str) -> bytes:
    """The source as it stands in a frame; ValueError where it would end one."""
    if not _SOURCE.fullmatch(source):
        raise ValueError(f"a source is a word of at most 64 visible ASCII characters, not {source!r}")
    return source.encode()


@contextmanager
def _clearly(folder: Path) -> Iterator[None]:
    """An error of the operating system as a LakeError that says what to do."""
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        advice = "Free some space, then call again." if full else "Mend the disk or the lake's permissions."
        raise LakeError(f"The log {folder} cannot be written: {error.strerror}. {advice}") from error
