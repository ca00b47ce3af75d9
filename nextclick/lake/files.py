"""Files that what runs on a lake shares: read, and written whole. Whether a disk is behind is known here alone.

An address is a path below `Lake.shared`, or s3://BUCKET/KEY of an object (nextclick/object_store/bucket.py). On a disk Python's own calls
do it: `pyarrow.fs`, which could reach both, takes a third of a second to import, at every start of the API and of each verb.
Tables have nextclick/lake/delta.py; the landing log and the journal of imports keep their own, stricter order of writes.
"""

import glob
import os
import secrets
import shutil
import tempfile
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from nextclick.object_store import bucket

_SECOND: Final = 1_000_000_000
"""Nanoseconds."""
_LEFT_SECONDS: Final = 3600


def read(address: str) -> bytes | None:
    """The whole file; None if there is none. Raises OSError where it cannot be read."""
    if bucket.holds(address):
        return there.content if (there := bucket.get(address)) else None
    try:
        return Path(address).read_bytes()
    except FileNotFoundError:
        return None


def write(address: str, content: bytes) -> None:
    """Put `content` in the place of what is there: a reader sees the one or the other, and a crash leaves one of them."""
    if bucket.holds(address):
        bucket.put(address, content)
        return
    with _draft(Path(address)) as draft:
        _fill(draft, content)
        os.replace(draft, address)


def create(address: str, content: bytes) -> bytes:
    """Write a secret that nobody may read but its owner, if it is not there; of many who do so at once, one wins.

    Returns what is there then.
    """
    if (there := read(address)) is not None:
        return there
    if bucket.holds(address):
        with suppress(bucket.ConditionFailed):
            bucket.put_new(address, content)
        return read(address) or b""
    with _draft(Path(address)) as draft:
        _fill(draft, content)
        with suppress(FileExistsError):
            os.link(draft, address)
    return Path(address).read_bytes()


def changed_at(address: str) -> int:
    """Nanoseconds since 1970-01-01 UTC; another number after each `write` of other content, 0 where there is no file.

    A store knows whole seconds: what is below them stands for the content.
    """
    if bucket.holds(address):
        written = bucket.modified(address)
        return written[0] * _SECOND + zlib.crc32(written[1].encode()) % _SECOND if written else 0
    try:
        return Path(address).stat().st_mtime_ns
    except OSError:
        return 0


def exists(address: str) -> bool:
    """Whether there is a file, or a folder."""
    if bucket.holds(address):
        return bucket.modified(address) is not None or bool(bucket.names(address))
    return Path(address).exists()


def remove(address: str) -> None:
    """Remove a file, or a folder with everything in it; nothing happens where there is neither."""
    if bucket.holds(address):
        bucket.remove(address)
        return
    path = Path(address)
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def names(folder: str) -> list[str]:
    """What lies in a folder, sorted; nothing where there is none."""
    if bucket.holds(folder):
        return bucket.names(folder)
    try:
        return sorted(os.listdir(folder))
    except FileNotFoundError:
        return []


@contextmanager
def folder(address: str) -> Iterator[Path]:
    """A local folder with the files of `address`, to be read within the block."""
    if not bucket.holds(address):
        yield Path(address)
        return
    with tempfile.TemporaryDirectory(prefix="nextclick-") as fetched:
        for file in bucket.below(address):
            local = Path(fetched, file.removeprefix(f"{address}/"))
            local.parent.mkdir(parents=True, exist_ok=True)
            local.write_bytes(read(file) or b"")
        yield Path(fetched)


@contextmanager
def new_folder(address: str) -> Iterator[Path]:
    """An empty local folder to be filled; it takes the place of `address`, whole, when the block ends without an error.

    In a store its files come one by one, in the order in which they were written, so what names the others is to be written last.
    """
    if bucket.holds(address):
        with tempfile.TemporaryDirectory(prefix="nextclick-") as draft:
            yield Path(draft)
            _send(Path(draft), address)
        return
    goal = Path(address)
    with _draft(goal) as draft:
        draft.mkdir()
        yield draft
        shutil.rmtree(goal, ignore_errors=True)
        os.replace(draft, goal)


@contextmanager
def new_file(address: str) -> Iterator[Path]:
    """A name for a library to write a file by; it takes the place of `address`, whole, when the block ends without an error.

    It has the mode of what it replaces; a new one is its owner's alone.
    """
    goal = Path(address)
    with _draft(goal) as draft:
        yield draft
        draft.chmod(goal.stat().st_mode & 0o777 if goal.exists() else 0o600)
        with draft.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(draft, goal)


def sweep(address: str) -> None:
    """Remove what killed writers of `address` left an hour ago or longer."""
    goal = Path(address)
    for left in goal.parent.glob(f".{glob.escape(goal.name)}-*.part*"):
        if time.time() - left.stat().st_mtime > _LEFT_SECONDS:
            left.unlink(missing_ok=True)


def copy_folder(source: str, target: str) -> None:
    """A second name for the files of a folder, where the disk can give one: they are replaced, never changed."""
    if bucket.holds(source):
        for file in bucket.below(source):
            bucket.copy(file, f"{target}/{file.removeprefix(f'{source}/')}")
        return
    Path(target).parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(source, target, copy_function=_link)


def filesystem(address: str) -> Any:
    """As `filesystem` of pyarrow's readers and writers; None for a path of a disk."""
    return bucket.filesystem(address) if bucket.holds(address) else None


def size(address: str) -> int:
    """Bytes of a file that is there."""
    return int(filesystem(address).size(address)) if bucket.holds(address) else Path(address).stat().st_size


def _send(local: Path, address: str) -> None:
    """Make the files of a local folder those of `address`."""
    written = sorted((file for file in local.rglob("*") if file.is_file()), key=lambda file: file.stat().st_mtime_ns)
    sent = {f"{address}/{file.relative_to(local).as_posix()}": file for file in written}
    for target, file in sent.items():
        bucket.put(target, file.read_bytes())
    for other in {*bucket.below(address)} - {*sent}:
        bucket.remove(other)


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


@contextmanager
def _draft(goal: Path) -> Iterator[Path]:
    """A name beside `goal` that nobody else uses; what is left under it goes."""
    goal.parent.mkdir(parents=True, exist_ok=True)
    draft = goal.with_name(f".{goal.name}-{secrets.token_hex(8)}.part")
    try:
        yield draft
    finally:
        remove(str(draft))


def _fill(draft: Path, content: bytes) -> None:
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
