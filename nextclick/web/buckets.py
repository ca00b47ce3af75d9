"""Token buckets that the processes of a machine share, so that a rate is the machine's, however many workers answer."""

import fcntl
import mmap
import os
import struct
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Final

from nextclick.contracts.events import derived_id

Bucket = tuple[float, float]
"""Tokens that were left, and when that was counted, in seconds of the machine's monotonic clock."""
_BUCKET: Final = struct.Struct("=dd")
_ALONE: Final = nullcontext()


class OwnBuckets(dict[str, Bucket]):
    """Those of one process."""

    def alone(self, name: str) -> nullcontext[None]:
        """A context in which nobody else changes the bucket."""
        return _ALONE


class SharedBuckets:
    """A file of two numbers a name, each changed under a lock of the operating system. After a restart of the machine all are full."""

    def __init__(self, path: Path, names: Iterable[str]) -> None:
        self._places = {name: place * _BUCKET.size for place, name in enumerate(sorted(set(names)))}
        size = len(self._places) * _BUCKET.size
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        known = min(size, os.fstat(self._file).st_size)
        # Written, since on a disk that is full a page without room would end the process.
        os.pwrite(self._file, bytes(size - known), known)
        self._numbers = mmap.mmap(self._file, size)
        self._threads = threading.Lock()  # the operating system's lock is the process's

    @contextmanager
    def alone(self, name: str) -> Iterator[None]:
        """A context in which nobody else changes the bucket."""
        with self._threads:
            fcntl.lockf(self._file, fcntl.LOCK_EX, _BUCKET.size, self._places[name])
            try:
                yield
            finally:
                fcntl.lockf(self._file, fcntl.LOCK_UN, _BUCKET.size, self._places[name])

    def get(self, name: str, full: Bucket) -> Bucket:
        """The bucket; `full` where nobody took anything yet since the machine started."""
        tokens, at = _BUCKET.unpack_from(self._numbers, self._places[name])
        return (tokens, at) if 0 < at <= full[1] else full

    def __setitem__(self, name: str, bucket: Bucket) -> None:
        _BUCKET.pack_into(self._numbers, self._places[name], *bucket)


def buckets(folder: Path | None, names: Iterable[str]) -> OwnBuckets | SharedBuckets:
    """Buckets of these names that all processes with this folder share; the process's own without one, or where it cannot be written."""
    names = sorted(set(names))
    if folder is not None:
        with suppress(OSError):  # a lake that may only be read
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            return SharedBuckets(folder / f"{derived_id(*names)[:16]}.rates", names)
    return OwnBuckets()
