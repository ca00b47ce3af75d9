"""How one import reads its files: the seam between the importer and what files mean."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol

from collector.imports import files
from collector.imports.cells import Row
from collector.imports.mapping import Mapping
from collector.imports.opening import open_source
from collector.imports.rows import RowMapper
from collector.imports.source import HistoryFile
from collector.request.errors import Unmappable
from nextclick.settings import Settings


class Reading(Protocol):
    """Finds files, opens them, and says what becomes of their rows."""

    @property
    def source(self) -> str:
        """Who sent what is landed, as the landing log has it."""

    @property
    def splits(self) -> bool:
        """Whether what a row becomes hangs on no other row, so that several processes can share a file."""

    def find(self, paths: Iterable[Path]) -> list[Path]:
        """The files that are meant; UsageError if there are none, or one cannot be read this way."""

    def key(self, path: Path) -> tuple[str, ...]:
        """What tells this import of the file from another import of the same content."""

    def open(self, path: Path) -> HistoryFile: ...

    def to_payload(self, path: Path) -> Callable[[Row | Unmappable], bytes]:
        """The function from the file's rows to encoded events; it raises Unmappable."""


class MappedReading:
    """Files of rows, by a mapping."""

    splits = True

    def __init__(self, settings: Settings, mapping: Mapping, kind: str, site: str) -> None:
        self._settings, self._mapping, self._kind, self._site = settings, mapping, kind, site
        self.source = f"import:{mapping.name}"

    def find(self, paths: Iterable[Path]) -> list[Path]:
        records = self._mapping.records(self._kind)
        matches = files.find(paths, records.files)
        for path in matches:
            files.check(path, self._mapping, records)
        return matches

    def key(self, path: Path) -> tuple[str, ...]:
        return self._mapping.digest, self._kind, self._site

    def open(self, path: Path) -> HistoryFile:
        return open_source(path, self._mapping)

    def to_payload(self, path: Path) -> Callable[[Row | Unmappable], bytes]:
        file_time = path.stat().st_mtime_ns // 1_000_000
        return RowMapper(self._settings, self._mapping, self._kind, self._site, file_time)
