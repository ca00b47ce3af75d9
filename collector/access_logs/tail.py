"""One log that a follower reads as it grows, whatever becomes of its name."""

import os
import re
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

import msgspec

from collector.access_logs.formats import named
from collector.access_logs.lines import LogLines
from collector.access_logs.reading import LogReading
from collector.imports.chunks import Chunk
from collector.imports.importer import Importer
from collector.imports.journal import FileProgress
from nextclick.errors import UsageError

_NUMBERED: Final = r"[._-]\d[\dT_.-]*"
_PACKED: Final = r"\.(?:gz|bz2|xz|zst)"


class Tail:
    """An open log and how far it is landed."""

    def __init__(self, lines: LogLines, progress: FileProgress) -> None:
        self.lines, self.progress = lines, progress
        self.lines.growing = not lines.is_packed
        self._grown_at = time.monotonic()

    def land(self, importer: Importer, chunk: Chunk, follower: str) -> None:
        """Hand a chunk of it to the importer."""
        mark = self.lines.mark(follower)
        self.progress = importer.land(chunk, msgspec.structs.replace(self.progress, mark=mark))
        self._grown_at = time.monotonic()

    def is_named(self, path: Path) -> bool:
        """Whether `path` means this file."""
        try:
            return os.path.samestat(os.fstat(self.lines.fileno()), path.stat())
        except FileNotFoundError:
            return False

    def was_cut(self) -> bool:
        """Whether its content is another than what was read: shorter, or with another beginning."""
        descriptor, head = self.lines.fileno(), self.lines.head
        return os.fstat(descriptor).st_size < self.lines.tell() or os.pread(descriptor, len(head), 0) != head

    def is_quiet(self, seconds: float) -> bool:
        """Whether nothing was added for so long, or it is packed and nothing can be."""
        return not self.lines.growing or time.monotonic() - self._grown_at >= seconds

    def close(self) -> None:
        self.lines.close()


def is_read(reading: LogReading, path: Path, progress: FileProgress) -> bool:
    """Whether the file is one that `progress` tells of: changed at the same time, with the same first line, or by all its lines."""
    assert progress.mark
    with suppress(UsageError, FileNotFoundError):
        if path.stat().st_mtime_ns == progress.mark.changed:
            with closing(reading.open(path, named(progress.mark.format))) as lines:
                return lines.begins_as(progress.mark)
    if match := is_at(reading, path, progress):
        match.close()
    return match is not None


def is_at(reading: LogReading, path: Path, progress: FileProgress) -> LogLines | None:
    """The file, read up to the place of `progress`, if it begins as the one of `progress` did; else None."""
    assert progress.mark
    with suppress(UsageError):  # rotated once more since it was listed
        lines = reading.open(path, named(progress.mark.format))
        if lines.is_at(progress.last, progress.mark):
            return lines
        lines.close()
    return None


def rotated(path: Path) -> dict[Path, os.stat_result]:
    """Files beside `path` that are named as if rotated: such as `access.log.1` and `access-20260101.log.gz`.

    Of a file and its packed self only the file: the other may still be in the making.
    """
    name, stem, suffix = map(re.escape, (path.name, path.stem, path.suffix))
    pattern = re.compile(rf"(?:{name}{_NUMBERED}|{stem}{_NUMBERED}{suffix})(?:{_PACKED})?")
    named_so = [beside for beside in path.parent.iterdir() if pattern.fullmatch(beside.name)]
    stats: dict[Path, os.stat_result] = {}
    for beside in named_so:
        if not (re.fullmatch(_PACKED, beside.suffix) and beside.with_suffix("") in named_so):
            with suppress(FileNotFoundError):
                stats[beside] = beside.stat()
    return stats
