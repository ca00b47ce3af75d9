"""The landing log: the half that writes it.

A segment grows in a hidden folder under an OS file lock, is fsynced, and is renamed into the
log, whose folder is fsynced: a reader sees all of it or nothing. Any number of writers, each
with a segment of its own. What a killed process left behind is recovered by the next writer.
"""

import errno
import fcntl
import os
import secrets
from collections.abc import Callable, Iterable, Iterator, Set
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import ClassVar, Protocol
from zlib import crc32

from nextclick.errors import LakeError
from nextclick.landing import segments

_BUFFER_BYTES = 1 << 20
_STAMP = "%Y%m%dT%H%M%S%f"
_OF_A_SEGMENT = "[0-9]*T[0-9]*-*.log"
_FRAME_BYTES = 64  # at most: CRC, position, time, spaces and newline


class Limits(Protocol):
    """Bounds of a log, in bytes; `Settings.landing` is one."""

    @property
    def segment_bytes(self) -> int: ...
    @property
    def max_total_bytes(self) -> int: ...


class OpenSegment:
    """One segment that is being written: its descriptor, its lock, and how much of it is durable."""

    def __init__(self, path: Path, descriptor: int, lines: int = 0, size: int = 0) -> None:
        self.path = path
        self.lines = lines
        self.size = size
        """Bytes, those still in the buffer included."""
        self._descriptor = descriptor
        self._buffer: list[bytes] = []
        self._written = self._durable = size

    @property
    def name(self) -> str:
        """The name under which it is published."""
        return f"{self.path.stem}-{self.lines}.log"

    def add(self, line: bytes) -> None:
        """Buffer one framed line."""
        self._buffer.append(line)
        self.lines += 1
        self.size += len(line)
        if self.size - self._written > _BUFFER_BYTES:
            self.flush()

    def flush(self) -> None:
        """Hand the buffer to the operating system: not durable yet."""
        rest = memoryview(b"".join(self._buffer))
        self._buffer.clear()
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]
        self._written = self.size

    def sync(self) -> None:
        """Make every line durable: afterwards it may be acknowledged."""
        self.flush()
        if self._durable < self.size:
            os.fdatasync(self._descriptor)
            self._durable = self.size

    def publish(self, folder: Path) -> Path:
        """Move the durable segment into the log, with a fresh time: Spark never reads what looks too old."""
        os.utime(self._descriptor)
        os.fsync(self._descriptor)
        target = folder / self.name
        os.rename(self.path, target)
        _sync_folder(folder)
        os.close(self._descriptor)
        return target

    def discard(self) -> None:
        """Drop the segment and all that is in it."""
        self.path.unlink(missing_ok=True)
        os.close(self._descriptor)

    def retire(self) -> None:
        """After a failed write or fsync: keep what was durable before it, for `recover`, and never write here again."""
        with suppress(OSError):
            os.ftruncate(self._descriptor, self._durable)
        if not self._durable:
            with suppress(OSError):
                self.path.unlink(missing_ok=True)
        with suppress(OSError):
            os.close(self._descriptor)


class SegmentWriter:
    """Appends records to a log, each segment published as soon as it is full; one thread at a time.

    `append` and `extend` buffer, `sync` makes durable (acknowledge after it), `roll` and `close`
    publish. When writing fails, everything since the last `sync` is dropped with a LakeError,
    the descriptor is retired, and the next call starts a new segment. Open it after forking.
    """

    hidden: ClassVar[str] = ".open"

    def __init__(self, folder: Path, limits: Limits) -> None:
        self.folder = folder
        self._limits = limits
        self._segment: OpenSegment | None = None
        self._room = 0
        self._retired = False
        with _clearly(folder):
            (folder / self.hidden).mkdir(parents=True, exist_ok=True)
        self._recover()

    def __enter__(self) -> "SegmentWriter":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def size(self) -> int:
        """Bytes in the segment that is being written."""
        return self._segment.size if self._segment else 0

    def append(self, payload: bytes, source: str, received_at: int) -> None:
        """Buffer one record: JSON without a raw newline; `received_at` in milliseconds since 1970-01-01 UTC."""
        self.extend((payload,), source, received_at)

    def extend(self, payloads: Iterable[bytes], source: str, received_at: int) -> None:
        """Buffer several records of one source and one time of arrival."""
        if not source or not source.isprintable() or " " in source:
            raise ValueError(f"a source is a word without spaces, not {source!r}")
        head = b"%d %b " % (received_at, source.encode())
        most = len(head) + _FRAME_BYTES
        with self._failing_retires():
            for payload in payloads:
                if b"\n" in payload:
                    raise ValueError("a payload is one line: a newline inside would end the record")
                segment = self._segment_for(len(payload) + most)
                body = b"%d %b%b" % (segment.lines, head, payload)
                segment.add(b"%08x %b\n" % (crc32(body), body))

    def sync(self) -> None:
        """Make everything appended so far durable."""
        with self._failing_retires():
            if self._segment:
                self._segment.sync()

    def roll(self) -> None:
        """Publish what was appended so far; the next record starts a new segment."""
        if self._retired:
            self._recover()
        with self._failing_retires():
            if self._segment:
                self._segment.sync()
                self._finish(self._segment)
                self._segment = None

    def close(self) -> None:
        """Publish what is left."""
        self.roll()

    def _finish(self, segment: OpenSegment) -> None:
        segment.publish(self.folder)

    def _recover(self) -> None:
        recover(self.folder)
        self._retired = False

    def _segment_for(self, size: int) -> OpenSegment:
        segment = self._segment
        if segment is not None and segment.size + size <= self._room:
            return segment
        if segment is not None:
            self.roll()
        return self._open(size)

    def _open(self, size: int) -> OpenSegment:
        if self._retired:
            self._recover()
        free = self._free_bytes()
        if size > free:
            raise LakeError(
                f"The log {self.folder} has reached landing.max_total_bytes = {self._limits.max_total_bytes:,}. "
                "Raise the limit in conf/, or remove segments that the tables already hold."
            )
        self._room = min(self._limits.segment_bytes, free)
        self._segment = _create(self.folder, self.folder / self.hidden)
        return self._segment

    def _free_bytes(self) -> int:
        limit = self._limits.max_total_bytes
        return limit - sum(segment.bytes for segment in segments(self.folder)) if limit else 1 << 62

    @contextmanager
    def _failing_retires(self) -> Iterator[None]:
        try:
            with _clearly(self.folder):
                yield
        except LakeError:
            self._retire()
            raise

    def _retire(self) -> None:
        if self._segment:
            self._segment.retire()
            self._segment = None
            self._retired = True


class StagedWriter(SegmentWriter):
    """Appends records that count only once their transaction does: nothing is published before `publish`.

    `seal` makes the segments durable and tells their names; the owner writes these names into its
    own journal, which is the commit, and calls `publish`. `settle` ends what a killed owner left.
    """

    hidden = ".staged"

    def __init__(self, folder: Path, limits: Limits) -> None:
        super().__init__(folder, limits)
        self._sealed: list[OpenSegment] = []

    def seal(self) -> list[str]:
        """Make all records durable; the names under which their segments will be published."""
        self.roll()
        return [segment.name for segment in self._sealed]

    def publish(self) -> None:
        """Publish the sealed segments, after their names are in the owner's journal."""
        with _clearly(self.folder):
            while self._sealed:
                self._sealed[0].publish(self.folder)
                del self._sealed[0]

    def abort(self) -> None:
        """Drop everything that is not published."""
        for segment in [*self._sealed, *([self._segment] if self._segment else [])]:
            with suppress(OSError):
                segment.discard()
        self._sealed, self._segment = [], None

    def close(self) -> None:
        self.abort()

    def _finish(self, segment: OpenSegment) -> None:
        self._sealed.append(segment)

    def _recover(self) -> None:
        """What a killed owner left is settled by its journal, not by the next writer."""


def recover(folder: Path) -> list[Path]:
    """Publish what killed or retired writers of the log `folder` left in `.open`; a live writer's segment is left alone.

    The torn tail after the last newline was never acknowledged and is dropped. A complete line whose
    CRC fails stays: it may have been acknowledged, and its reader quarantines it.
    """
    published = []
    with _clearly(folder):
        for path in sorted((folder / SegmentWriter.hidden).glob("*.log")):
            segment = _claim(path)
            if segment and segment.lines:
                published.append(segment.publish(folder))
            elif segment:
                segment.discard()
    return published


def settle(folder: Path, committed: Callable[[], Set[str]]) -> None:
    """End the transactions of killed `StagedWriter`s: publish the segments named in `committed`, drop the others.

    `committed` is asked after a segment is claimed: its owner is dead by then, and its journal final.
    """
    with _clearly(folder):
        for path in sorted((folder / StagedWriter.hidden).glob("*.log")):
            segment = _claim(path)
            if segment and segment.name in committed():
                segment.publish(folder)
            elif segment:
                segment.discard()


def _claim(path: Path) -> OpenSegment | None:
    """Take over a segment that nobody holds, cut to its complete lines; None if somebody does."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:  # another writer was faster
        return None
    if not _lock(descriptor, path):
        os.close(descriptor)
        return None
    lines = end = 0
    with open(descriptor, "rb", closefd=False) as file:
        for line in file:
            if line.endswith(b"\n"):
                lines, end = lines + 1, end + len(line)
    os.ftruncate(descriptor, end)
    return OpenSegment(path, descriptor, lines, end)


def _create(folder: Path, hidden: Path) -> OpenSegment:
    """A new, locked segment whose name sorts after all that are there."""
    newest = max((entry.name for place in (folder, hidden) for entry in place.glob(_OF_A_SEGMENT)), default="")
    while True:
        path = hidden / f"{_stamp(newest)}-{secrets.token_hex(4)}.log"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o644)
        if _lock(descriptor, path):
            _sync_folder(hidden)
            return OpenSegment(path, descriptor)
        os.close(descriptor)  # a recovering writer took the empty file for an orphan


def _stamp(newest: str) -> str:
    """Now to the microsecond, or just after the newest name where the clock was set back."""
    now = datetime.now(UTC).strftime(_STAMP)
    last = newest.partition("-")[0]
    if now > last:
        return now
    return (datetime.strptime(last, _STAMP) + timedelta(microseconds=1)).strftime(_STAMP)


def _lock(descriptor: int, path: Path) -> bool:
    """Lock the open file and make sure that `path` still means it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except (BlockingIOError, FileNotFoundError):
        return False


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _clearly(folder: Path) -> Iterator[None]:
    """An error of the operating system as a LakeError that says what to do."""
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        advice = "Free some space, then call again." if full else "Mend the disk or the lake's permissions."
        raise LakeError(f"The log {folder} cannot be written: {error.strerror}. {advice}") from error
