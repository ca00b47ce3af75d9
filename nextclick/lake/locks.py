"""One writer per table: an OS file lock, released by the kernel when its holder ends.

Delta's local log store does not protect two processes from each other
(delta-io/delta#683, #7567), and a lease with a time-out would let a stopped
writer wake up beside its successor. An `flock` has neither fault: while the
holder lives, stopped or not, the successor is refused and told who holds it.
"""

import fcntl
import json
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from nextclick.errors import LakeError, TableBusy

_held: dict[Path, tuple[int, int]] = {}
"""Locks of this process: path → (descriptor, nested holders); a lock is re-entrant within one process."""
_guard = threading.Lock()


@contextmanager
def hold(folder: Path, *names: str, purpose: str) -> Iterator[None]:
    """Hold the locks `names` (usually tables) below `folder`, or raise `TableBusy` naming the holder."""
    with ExitStack() as stack:
        for name in sorted(names):  # one order for everyone, so that two jobs never wait crosswise
            path = folder / f"{name}.lock"
            _acquire(path, name, purpose)
            stack.callback(_release, path)
        yield


def _acquire(path: Path, name: str, purpose: str) -> None:
    with _guard:
        descriptor, holders = _held.get(path, (-1, 0))
        if not holders:
            descriptor = _open_locked(path, name, purpose)
        _held[path] = (descriptor, holders + 1)


def _release(path: Path) -> None:
    with _guard:
        descriptor, holders = _held.pop(path)
        if holders > 1:
            _held[path] = (descriptor, holders - 1)
        else:
            os.close(descriptor)  # closing releases the lock; the file stays, since unlinking it would race


def _open_locked(path: Path, name: str, purpose: str) -> int:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise LakeError(f"The lock {path} cannot be opened: {error.strerror}. Mend the lake's permissions.") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise TableBusy(
            f"{name} is being written by {_holder(path)}. One process writes a table at a time: "
            "wait for it to end, or stop it, then call again."
        ) from error
    record = {
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "purpose": purpose,
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    os.truncate(descriptor, 0)
    os.pwrite(descriptor, json.dumps(record).encode(), 0)
    return descriptor


def holder(folder: Path, name: str) -> str | None:
    """Who holds the lock `name` now, in words; None if nobody does."""
    path = folder / f"{name}.lock"
    if not path.exists():
        return None
    if path in _held:
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
