"""What was imported: one small file per transaction, written before its segments are published.

The file is the commit. It names the segments of the transaction and how far each history file
is in them, so progress and landing log cannot disagree: an import that was killed behind the
commit has its segments published by the next one, one that was killed before it has them dropped.
"""

import os
import secrets
from collections.abc import Iterable
from pathlib import Path

import msgspec

from nextclick.errors import LakeError


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """What a growing file held up to a place in it: tells the file, whatever its name is by now."""

    follower: str
    """Whose file it is: of a site and a path, under which the file began."""
    format: str
    first: str
    """Digest of its first line."""
    all: str
    """Digest of all its lines up to the place."""
    changed: int
    """When it was last changed, in nanoseconds since 1970."""


class FileProgress(msgspec.Struct, frozen=True, kw_only=True):
    """How far one history file (its content, for one mapping and site) is in the landing log."""

    key: str
    path: str
    last: int = 0
    """Last line (row, in Parquet) that is in."""
    accepted: int = 0
    rejected: int = 0
    complete: bool = False
    mark: Mark | None = None
    """Only of a file that is followed while it grows."""


class JournalEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One transaction: its segments, by the names under which they are published, and the progress in them."""

    segments: list[str]
    files: list[FileProgress]


class Journal:
    """The commits in a folder, in order."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._progress = {file.key: file for _, commit in self._commits() for file in commit.files}
        self._latest: tuple[Path, set[str]] | None = None
        """The commit that this process wrote last, and whose progress is in it."""

    def progress(self, key: str) -> FileProgress | None:
        """The latest progress of a file; None if nothing of it was imported."""
        return self._progress.get(key)

    def followed(self, follower: str) -> list[FileProgress]:
        """The latest progress of each file that this follower ever read, in the order in which they began."""
        return [file for file in self._progress.values() if file.mark and file.mark.follower == follower]

    def committed_segments(self) -> set[str]:
        """The names of all segments that were ever committed, by whatever import."""
        return {name for _, commit in self._commits() for name in commit.segments}

    def write(self, segments: list[str], files: Iterable[FileProgress]) -> None:
        """Commit: durable once this returns."""
        commit = JournalEntry(segments=segments, files=list(files))
        number = max((int(path.name.partition("-")[0]) for path in self._paths()), default=0) + 1
        target = self._folder / f"{number:08d}-{secrets.token_hex(4)}.json"
        try:
            _write_durably(target, msgspec.json.encode(commit))
        except OSError as error:
            raise LakeError(
                f"{target} cannot be written: {error.strerror}. Free space or mend permissions, call again."
            ) from error
        self._progress.update({file.key: file for file in commit.files})
        self._supersede(target, {file.key for file in commit.files})

    def _supersede(self, target: Path, keys: set[str]) -> None:
        """Drop the commit before, if this one tells all its progress anew: its segments were published before this one."""
        if self._latest and self._latest[1] <= keys:
            self._latest[0].unlink(missing_ok=True)
        self._latest = target, keys

    def _commits(self) -> list[tuple[Path, JournalEntry]]:
        commits = []
        for path in self._paths():
            try:
                commits.append((path, msgspec.json.decode(path.read_bytes(), type=JournalEntry)))
            except FileNotFoundError:  # its owner, who lives, has superseded it
                continue
            except (OSError, msgspec.DecodeError) as error:
                raise LakeError(
                    f"The import journal {path} cannot be read: {error}. Restore it, or remove it to import again."
                ) from error
        return commits

    def _paths(self) -> list[Path]:
        return sorted(self._folder.glob("[0-9]*-*.json"))


def _write_durably(target: Path, content: bytes) -> None:
    hidden = target.with_name(f".{target.name}")
    with hidden.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.rename(hidden, target)
    folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
