"""What a history file gives, whatever its form: batches of rows with their place in the file."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any, Final, NamedTuple

from collector.imports.cells import Row
from collector.imports.unpacking import Unpacked
from collector.request.errors import Unmappable

_LONGEST_LINE: Final = 1 << 20
"""Bytes or characters; the rest of a longer line is skipped, so that a bomb cannot fill the memory."""


class RecordBatch(NamedTuple):
    """Some records of a file, in order; the first three are parallel."""

    numbers: Sequence[int]
    """Number of each record's first line, from 1 (of the row, in Parquet)."""
    rows: Sequence[Row | Unmappable]
    """Each record's columns, or the fault that makes it unreadable."""
    raw: Sequence[str | bytes | Row]
    """Each record as it stands in the file."""
    last: int
    """Last line of the last record."""


class HistoryFile(ABC):
    """An open file: its columns, where all rows have the same (else None), and its rows."""

    columns: list[str] | None = None
    damage: str | None = None
    """Why the file ended before its end; known after the last batch."""
    fragment: str = ""
    """What the cut left of the last line."""

    def __init__(self, path: Path, file: IO[bytes]) -> None:
        self.path = path
        self._file = file

    @abstractmethod
    def batches(self, after: int, size: int) -> Iterator[RecordBatch]:
        """Batches of about `size` records behind line (or row) `after`, where an earlier batch ended."""

    def tell(self) -> int:
        """Bytes of the file read so far."""
        return self._file.tell()

    def close(self) -> None:
        self._file.close()


class LineSource(HistoryFile):
    """A file of lines, perhaps compressed."""

    def __init__(self, path: Path, file: IO[bytes], unpacked: Unpacked | None) -> None:
        super().__init__(path, file)
        self._unpacked = unpacked

    def _bounded(self, readline: Callable[[int], Any], newlines: Sequence[str | bytes]) -> Iterator[Any]:
        """The whole lines of the file, the first part of overlong ones; a cut file keeps its last as `fragment`."""
        line: Any = None
        try:
            while line := readline(_LONGEST_LINE):
                if line[-1:] not in newlines:
                    if len(line) >= _LONGEST_LINE:
                        _skip_line(readline, newlines)
                    elif self._unpacked and self._unpacked.damage:
                        break
                yield line
        except (OSError, UnicodeError) as error:
            self.damage = f"it cannot be read on: {error}"
        if self._unpacked and self._unpacked.damage:
            self.damage = self._unpacked.damage
            self.fragment = line.decode("utf-8", "surrogateescape") if isinstance(line, bytes) else line


def _skip_line(readline: Callable[[int], Any], newlines: Sequence[str | bytes]) -> None:
    while (more := readline(_LONGEST_LINE)) and more[-1:] not in newlines:
        pass
