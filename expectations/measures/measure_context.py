"""How facts look at a table version: SQL over `whole` (its rows) and `new` (those new since the last check)."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from expectations.due import CheckTask
from nextclick.lake.delta import open_table
from nextclick.lake.duck import connect, show
from nextclick.reconciliation import Reconciliation, reconcile
from nextclick.settings import Settings

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


class Fact(NamedTuple):
    """A number, and what was seen in words; the number is None where it cannot be told yet."""

    value: float | None
    observed: str


class RunCache:
    """What the facts of several tables share: measured once a run."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @cached_property
    def reconciliation(self) -> Reconciliation:
        return reconcile(self.settings)


@dataclass(frozen=True)
class MeasureContext:
    """One table version, open for questions."""

    part: CheckTask
    lakewide: RunCache
    duck: "DuckDBPyConnection"

    @property
    def settings(self) -> Settings:
        return self.lakewide.settings

    def row(self, query: str, **parameters: Any) -> tuple[Any, ...]:
        values: tuple[Any, ...] = self.duck.execute(query, parameters or None).fetchall()[0]
        return values

    def count(self, what: str, query: str, **parameters: Any) -> Fact:
        """The fact that `query` returns this number of rows."""
        (number,) = self.row(f"SELECT count(*) FROM ({query})", **parameters)
        return Fact(number, f"{number:,} {what}")

    def repeated(self, what: str, key: Sequence[str], among: str) -> Fact:
        """The keys of new rows that are more than once in the view `among`, `whole` or `new`.

        Hashes first, sorted: a tenth of the time of grouping, and unless two are equal no two keys are.
        """
        import numpy as np
        import pyarrow as pa

        listed = ", ".join(key)
        within = (
            "" if self.part.whole or among == "new" else f"WHERE hash({listed}) IN (SELECT hash({listed}) FROM new)"
        )
        hashes = np.sort(self.duck.execute(f"SELECT hash({listed}) AS h FROM {among} {within}").fetchnumpy()["h"])
        suspects = np.unique(hashes[1:][hashes[1:] == hashes[:-1]])
        self.duck.register("suspects", pa.table({"h": suspects}))
        keys = f"SELECT 1 FROM {among} WHERE hash({listed}) IN (FROM suspects) GROUP BY {listed} HAVING count(*) > 1"
        return self.count(what, keys) if len(suspects) else Fact(0, f"0 {what}")

    def neighbour(self, view: str, name: str, version: int | None = None) -> None:
        """Show another table as `view`; one that was never written has no rows."""
        lake = self.settings.lake
        show(self.duck, view, lake, name, open_table(lake, name, version))


Measure = Callable[[MeasureContext], Fact]


@contextmanager
def looking(part: CheckTask, lakewide: RunCache) -> Iterator[MeasureContext]:
    """Open a part for questions."""
    lake = lakewide.settings.lake
    with connect(lake) as duck:
        show(duck, "whole", lake, part.table.name, part.delta)
        show(duck, "new", lake, part.table.name, part.delta, part.files)
        yield MeasureContext(part, lakewide, duck)
