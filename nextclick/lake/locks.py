"""One writer per table: on a disk an OS file lock, in an object store a lease.

Delta's local log store does not protect two processes from each other
(delta-io/delta#683, #7567), and a lease with a time-out would let a stopped
writer wake up beside its successor. An `flock` has neither fault: while the
holder lives, stopped or not, the successor is refused and told who holds it.
An object store has no such lock; there every commit is conditional, so that a
writer who wakes up fails, and the lease (nextclick/object_store/lease.py) tells it before.
"""

import fcntl
import json
import os
import socket
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple, Protocol

from nextclick.errors import LakeError, TableBusy
from nextclick.lake.paths import make_private
from nextclick.object_store import bucket, lease


class _Lock(Protocol):
    def require(self) -> None:
        """LakeError where it was lost."""

    def release(self) -> None: ...


class _Held(NamedTuple):
    lock: _Lock
    holders: int
    """Nested ones."""


_held: dict[str, _Held] = {}
"""Locks of this process by their address; a lock is re-entrant within one process."""
_guards: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
_guard = threading.Lock()

Require = Callable[[], None]
"""LakeError where a lock that is held was lost, as a lease can be: asked before something is written."""


@contextmanager
def hold(folder: str | Path, *names: str, purpose: str) -> Iterator[Require]:
    """Hold the locks `names` (usually tables) below `folder`, or raise `TableBusy` naming the holder.

    LakeError at the end, too, where one was lost meanwhile.
    """
    with ExitStack() as stack:
        addresses = [
            f"{folder}/{name}.lock" for name in sorted(names)
        ]  # one order for everyone, so that two jobs never wait crosswise
        for address in addresses:
            _acquire(address, purpose)
            stack.callback(_release, address)

        def require() -> None:
            for address in addresses:
                _held[address].lock.require()

        yield require
        require()


def _acquire(address: str, purpose: str) -> None:
    with _guarded(address):
        there = _held.get(address)
        _held[address] = _Held(there.lock, there.holders + 1) if there else _Held(_open(address, purpose), 1)


def _release(address: str) -> None:
    with _guarded(address):
        lock, holders = _held.pop(address)
        if holders > 1:
            _held[address] = _Held(lock, holders - 1)
        else:
            lock.release()


def _guarded(address: str) -> threading.Lock:
    """One thread at a time takes a lock, or gives it back; to take a lease may last, and others take theirs meanwhile."""
    with _guard:
        return _guards[address]


def _open(address: str, purpose: str) -> _Lock:
    record = {
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "purpose": purpose,
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    return lease.Lease(address, record) if bucket.holds(address) else _FileLock(Path(address), record)


class _FileLock:
    """The kernel gives it back when its holder ends, however that is."""

    def __init__(self, path: Path, record: Mapping[str, object]) -> None:
        try:
            make_private(path.parent)
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise LakeError(
                f"The lock {path} cannot be opened: {error.strerror}. Mend the lake's permissions."
            ) from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._descriptor)
            raise TableBusy(
                f"{path.stem} is being written by {_holder(path)}. One process writes a table at a time: "
                "wait for it to end, or stop it, then call again."
            ) from error
        os.truncate(self._descriptor, 0)
        with suppress(OSError):  # a full disk: it holds, and tells only not whose it is
            os.pwrite(self._descriptor, json.dumps(record).encode(), 0)

    def require(self) -> None:
        """It is never lost."""

    def release(self) -> None:
        os.close(self._descriptor)  # closing releases the lock; the file stays, since unlinking it would race


def holder(folder: str | Path, name: str) -> str | None:
    """Who holds the lock `name` now, in words; None if nobody does."""
    address = f"{folder}/{name}.lock"
    if bucket.holds(address):
        return lease.holder(address)
    path = Path(address)
    if not path.exists():
        return None
    if address in _held:
        return _holder(path)
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return _holder(path)
    finally:
        os.close(descriptor)
    return None


def _holder(path: Path) -> str:
    try:
        record = json.loads(path.read_text())
        return f"process {record['pid']} on {record['host']} ({record['purpose']}, since {record['since']})"
    except (OSError, ValueError, KeyError):
        return "another process"
