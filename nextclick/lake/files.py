"""Files that what runs on a lake shares: read, and written whole. Whether a disk is behind is known here alone.

An address is a path below `Lake.shared`. On a disk Python's own calls do it: `pyarrow.fs`, which could reach a bucket
as well, takes a third of a second to import, at every start of the API and of each verb.
Tables have nextclick/lake/delta.py; the landing log and the journal of imports keep their own, stricter order of writes.
"""

import glob
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

_LEFT_SECONDS: Final = 3600


def read(address: str) -> bytes | None:
    """The whole file; None if there is none. Raises OSError where it cannot be read."""
    try:
        return Path(address).read_bytes()
    except FileNotFoundError:
        return None


def write(address: str, content: bytes) -> None:
    """Put `content` in the place of what is there: a reader sees the one or the other, and a crash leaves one of them."""
    with _draft(Path(address)) as draft:
        _fill(draft, content)
        os.replace(draft, address)


def create(address: str, content: bytes) -> bytes:
    """Write a secret that nobody may read but its owner, if it is not there; of many who do so at once, one wins.

    Returns what is there then.
    """
    if (there := read(address)) is not None:
        return there
    with _draft(Path(address)) as draft:
        _fill(draft, content)
        with suppress(FileExistsError):
            os.link(draft, address)
    return Path(address).read_bytes()


def changed_at(address: str) -> int:
    """Another number after each `write`; 0 where there is no file."""
    try:
        return Path(address).stat().st_mtime_ns
    except OSError:
        return 0


def exists(address: str) -> bool:
    return Path(address).exists()


def remove(address: str) -> None:
    """Remove a file, or a folder with everything in it; nothing happens where there is neither."""
    path = Path(address)
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def names(folder: str) -> list[str]:
    """What lies in a folder, sorted; nothing where there is none."""
    try:
        return sorted(os.listdir(folder))
    except FileNotFoundError:
        return []


def folder(address: str) -> Path:
    """A local folder with the files of `address`, to be read."""
    return Path(address)


@contextmanager
def new_folder(address: str) -> Iterator[Path]:
    """An empty local folder to be filled; it takes the place of `address`, whole, when the block ends without an error."""
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
    Path(target).parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(source, target, copy_function=_link)


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
