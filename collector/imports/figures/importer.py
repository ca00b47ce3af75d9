"""Files of figures → silver.costs or silver.market: a file replaces the days and accounts that it names, in one commit of all files."""

import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

import msgspec

from collector.imports import files
from collector.imports.cells import Row
from collector.imports.figures.rows import FigureMapper
from collector.imports.mapping import FIGURES, Mapping
from collector.imports.opening import open_source
from collector.request.errors import Unmappable
from nextclick.contracts.table import Table
from nextclick.errors import UsageError
from nextclick.lake import commits, delta
from nextclick.lake.locks import hold
from nextclick.settings import Settings

_ROWS: Final = 2_000
_SHOWN: Final = 20
"""Rows that cannot be read, of which a message says each."""
_REPLACED_BY: Final = {"costs": ("date", "site", "network", "account"), "market": ("date", "domain", "origin")}
"""Rows that are equal in these give way to those of a later file."""
_OF_THE_IMPORT: Final = ("file", "imported_at")

Key = tuple[Any, ...]


class FigureReport(msgspec.Struct, frozen=True, kw_only=True):
    """What one import of figures did."""

    files: int
    rows: int
    """Rows of the files."""
    accepted: int
    """Those that were read."""
    sums: int
    """Those that sum up others, and are left out."""
    rejected: int
    reasons: dict[str, int]
    """Rejects by reason code."""
    rejects: list[str]
    """Each with its file, line and reason."""
    table: str
    written: int
    """Rows of the table that came of them; rows of one key are added up. 0 where the table says all of it already."""
    replaced: int
    """Rows of the table that gave way."""
    days: int
    """Days of the table that changed."""
    seconds: float


class FigureImport:
    """One import of files of a kind of FIGURES."""

    def __init__(self, settings: Settings, mapping: Mapping, kind: str, site: str) -> None:
        self._settings, self._mapping, self._kind, self._site = settings, mapping, kind, site
        self._table: Table = FIGURES[kind]
        self._rows: dict[Key, Row] = {}
        self._counts: Counter[str] = Counter()
        self._reasons: Counter[str] = Counter()
        self._rejects: list[str] = []
        self._started = time.monotonic()

    def find(self, paths: Iterable[Path]) -> list[Path]:
        """The files that are meant; UsageError if there are none, or one cannot be read by the mapping."""
        figures = self._mapping.figures(self._kind)
        matches = files.find(paths, figures.files)
        for path in matches:
            files.check(path, self._mapping, figures)
        return matches

    def run(self, paths: Iterable[Path], skip_bad: bool, tell: Callable[[int], None]) -> FigureReport:
        """Import the files; `tell` hears how many of their bytes are read.

        UsageError, and nothing is written, where a row cannot be read; `skip_bad`: the others are.
        """
        done = 0
        for path in paths:
            self._read(path, lambda read, before=done: tell(before + read))  # type: ignore[misc]
            done += path.stat().st_size
            tell(done)
        if self._rejects and not skip_bad:
            raise UsageError(_refusal(self._rejects))
        return self._write()

    def _read(self, path: Path, tell: Callable[[int], None]) -> None:
        self._counts["files"] += 1
        rows: dict[Key, Row] = {}
        with closing(open_source(path, self._mapping)) as source:
            mapper = FigureMapper(self._settings, self._mapping, self._kind, self._site, source.columns)
            last = 0
            for batch in source.batches(0, _ROWS):
                for number, row in zip(batch.numbers, batch.rows, strict=True):
                    self._take(mapper, row, f"{path}:{number}", path, rows)
                last = batch.last
                tell(source.tell())
        if source.damage:
            self._reject(
                f"{path}:{last + 1}", Unmappable("cut_short", f"the file ends before its end: {source.damage}")
            )
        taken = {self._scope(row) for row in rows.values()}
        kept = {key: row for key, row in self._rows.items() if self._scope(row) not in taken}
        self._rows = kept | rows

    def _take(self, mapper: FigureMapper, row: Row | Unmappable, where: str, path: Path, rows: dict[Key, Row]) -> None:
        self._counts["rows"] += 1
        try:
            figure = mapper(row)
            if figure is None:
                self._counts["sums"] += 1
                return
            key = tuple(figure[name] for name in self._table.key)
            rows[key] = self._together(rows[key], figure) if key in rows else figure | {"file": path.name}
            self._counts["accepted"] += 1
        except Unmappable as fault:
            self._reject(where, fault)

    def _together(self, before: Row, more: Row) -> Row:
        """Two rows of one key: what counts is added up; of what does not, such as a share, there can be one value alone."""
        if self._kind == "costs":
            return before | {name: _sum(before[name], more[name]) for name in ("impressions", "clicks", "cost")}
        if before["value"] != more["value"]:
            raise Unmappable(
                "two_values", f"an earlier row says {before['value']:g} of the same, this one {more['value']:g}"
            )
        return before

    def _reject(self, where: str, fault: Unmappable) -> None:
        self._reasons[fault.reason] += 1
        self._rejects.append(f"{where}: {fault.reason}: {fault}".encode("utf-8", "backslashreplace").decode())

    def _scope(self, row: Row) -> Key:
        return tuple(row[name] for name in _REPLACED_BY[self._kind])

    def _write(self) -> FigureReport:
        lake, table = self._settings.lake, self._table
        now = datetime.now(UTC)
        fresh = [row | {"imported_at": now} for row in self._rows.values()]
        with hold(lake.locks, table.name, purpose="nextclick import"):
            taken = {self._scope(row) for row in fresh}
            before = _by_day(delta.rows_of_days(lake, table, {row["date"] for row in fresh}))
            changed = {
                day: rows
                for day, rows in _by_day(fresh).items()
                if self._said(row for row in before.get(day, []) if self._scope(row) in taken) != self._said(rows)
            }
            gone = [row for day in changed for row in before.get(day, []) if self._scope(row) in taken]
            stay = [row for day in changed for row in before.get(day, []) if self._scope(row) not in taken]
            written = [row for rows in changed.values() for row in rows]
            if changed:
                commits.replace_days(lake, table, [*stay, *written], changed)
        return FigureReport(
            **{name: self._counts[name] for name in ("files", "rows", "accepted", "sums")},
            rejected=len(self._rejects),
            reasons=dict(sorted(self._reasons.items())),
            rejects=self._rejects,
            table=table.name,
            written=len(written),
            replaced=len(gone),
            days=len(changed),
            seconds=round(time.monotonic() - self._started, 3),
        )

    def _said(self, rows: Iterable[Row]) -> set[Key]:
        """What rows say, whichever import brought them."""
        names = [name for name in self._table.column_names if name not in _OF_THE_IMPORT]
        return {tuple(row[name] for name in names) for row in rows}


def _sum(one: Any, other: Any) -> Any:
    return other if one is None else one if other is None else one + other


def _by_day(rows: Iterable[Row]) -> dict[date, list[Row]]:
    days: dict[date, list[Row]] = {}
    for row in rows:
        days.setdefault(row["date"], []).append(row)
    return days


def _refusal(rejects: list[str]) -> str:
    more = [f"… and {len(rejects) - _SHOWN:,} more"] if len(rejects) > _SHOWN else []
    rows = "1 row cannot be read" if len(rejects) == 1 else f"{len(rejects):,} rows cannot be read"
    head = f"{rows}; nothing was written. Mend them, or leave them out with --skip-bad:"
    return "\n".join([head, *rejects[:_SHOWN], *more])
