"""One segment of the landing log while it is being written: in a hidden folder, under an OS file lock."""

import fcntl
import os
import re
import secrets
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

_BUFFER_BYTES: Final = 1 << 20
_STAMP: Final = "%Y%m%dT%H%M%S%f"
_is_name: Final = re.compile(r"[0-9].*T[0-9].*-.*\.log").fullmatch


class OpenSegment:
    """A segment that this process writes; it knows how much of itself is durable."""

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
            self._flush()

    def sync(self) -> None:
        """Make every line durable: afterwards it may be acknowledged."""
        self._flush()
        if self._durable < self.size:
            os.fdatasync(self._descriptor)
            self._durable = self.size

    def publish(self, folder: Path) -> None:
        """Move the segment, which is durable, into the log, with a fresh time: Spark never reads what looks too old."""
        os.utime(self._descriptor)
        os.fsync(self._descriptor)
        os.rename(self.path, folder / self.name)
        sync_folder(folder)
        self.release()

    def discard(self) -> None:
        """Drop the segment and all that is in it."""
        self.path.unlink(missing_ok=True)
        self.release()

    def retire(self) -> None:
        """After a failed write or fsync: keep what was durable before it, and never write here again."""
        with suppress(OSError):
            os.ftruncate(self._descriptor, self._durable)
            if not self._durable:
                self.path.unlink(missing_ok=True)
        self.release()

    def release(self) -> None:
        """Give up the lock; what is in the hidden folder stays for the next process that claims it."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            with suppress(OSError):
                os.close(descriptor)

    def _flush(self) -> None:
        rest = memoryview(b"".join(self._buffer))
        self._buffer.clear()
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]
        self._written = self.size


def create(folder: Path, hidden: Path) -> OpenSegment:
    """A new segment in `hidden` whose name sorts after all that are there and in `folder`."""
    newest = max(map(_newest, (folder, hidden)))
    while True:
        path = hidden / f"{_stamp(newest)}-{secrets.token_hex(4)}.log"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o644)
        if _lock(descriptor, path):
            sync_folder(hidden)
            return OpenSegment(path, descriptor)
        os.close(descriptor)  # a recovering writer took the empty file for an orphan


def _newest(folder: Path) -> str:
    """The last name of a segment; "" where there is none. A log may have a hundred thousand, and who answers waits for the interpreter."""
    names = os.listdir(folder)
    last = max(names, default="")
    return last if _is_name(last) else max(filter(_is_name, names), default="")


def claim(path: Path) -> OpenSegment | None:
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


def try_disk(folder: Path) -> None:
    """Write a page into a file of no name that matters, make it durable and remove it; OSError if that fails."""
    path = folder / f"probe-{secrets.token_hex(4)}"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, bytes(4096))
        os.fdatasync(descriptor)
    finally:
        os.close(descriptor)
        path.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


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
