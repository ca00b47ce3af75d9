"""The files that partners are handed: Parquet made aside, each holding what one part of a shared table may show.

They lie in the lake's state, named by their part, and are made once. What was handed out longest ago makes room for what is new; what a
link may still open stays; what nobody asked for in a week goes, since its rows may be gone from the table.
"""

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from analytics.sharing.parts import TablePart
from nextclick.lake import duck, files
from nextclick.lake.paths import Lake
from nextclick.web.answers import Refused

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_SUFFIX: Final = ".parquet"
_UNUSED_SECONDS: Final = 7 * 86_400.0


class CutFile(NamedTuple):
    """A file that may be handed out."""

    name: str
    rows: int
    bytes: int


class CutFiles:
    """The files of a lake, of at most so many bytes together; one is made at a time."""

    def __init__(
        self, lake: Lake, most_bytes: int, linked_seconds: float, now: Callable[[], float] = time.time
    ) -> None:
        self._folder = lake.state / "shared_files"
        self._most, self._linked, self._now = most_bytes, linked_seconds, now
        self._lock = threading.Lock()

    def path(self, name: str) -> Path | None:
        """Where a file lies; None for a name that is none, or of a file that made room."""
        path = self._folder / name
        return path if path.name == name and path.suffix == _SUFFIX and path.is_file() else None

    def get(self, database: "DuckDBPyConnection", part: TablePart) -> CutFile:
        """The file of a part, made if it is not there, from now on linked. Refused where it cannot be made."""
        import pyarrow.parquet as pq

        path = self._folder / f"{part.id}{_SUFFIX}"
        with self._lock:
            if not path.exists():
                self._make(database, part, path)
            os.utime(path, (self._now(), self._now()))
        return CutFile(path.name, pq.read_metadata(path).num_rows, path.stat().st_size)

    def _make(self, database: "DuckDBPyConnection", part: TablePart, path: Path) -> None:
        import duckdb

        try:
            with files.new_file(str(path)) as draft:
                to = f"{duck.text(str(draft))} (FORMAT parquet, COMPRESSION snappy)"
                database.execute(f"COPY ({part.query}) TO {to}")
                self._make_room(draft)
        except duckdb.IOException as error:
            raise Refused(
                400, "NO_SUCH_VERSION", "Files of this version are no longer there: ask for a newer."
            ) from error

    def _make_room(self, draft: Path) -> None:
        """Remove what nobody asks for, and what was linked longest ago. Refused 503 where all that is there may still be opened."""
        there = sorted((file.stat().st_mtime, file.stat().st_size, file) for file in self._folder.glob(f"*{_SUFFIX}"))
        over = draft.stat().st_size + sum(size for _, size, _ in there) - self._most
        for linked_at, size, file in there:
            unused = self._now() - linked_at
            if unused < self._linked or (over <= 0 and unused < _UNUSED_SECONDS):
                break
            file.unlink(missing_ok=True)
            over -= size
        if over > 0:
            raise Refused(
                503, "NO_ROOM", "The files of this query and of those before it are larger than sharing.cache_bytes. "
                "Ask for less (predicates on date, a limit), or later.",
            )  # fmt: skip
