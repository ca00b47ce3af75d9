"""How facts look at a table version: SQL over `whole` (its rows) and `new` (those new since the last check)."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from expectations.parts import Part
from nextclick.duck import connect
from nextclick.reconciliation import Reconciliation, reconcile
from nextclick.settings import Settings

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.dataset as ds
    from deltalake import DeltaTable
    from duckdb import DuckDBPyConnection


class Fact(NamedTuple):
    """A number, and what was seen in words; the number is None where it cannot be told yet."""

    value: float | None
    observed: str


class Lakewide:
    """What the facts of several tables share: measured once a run."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @cached_property
    def reconciliation(self) -> Reconciliation:
        return reconcile(self.settings)


@dataclass(frozen=True)
class Look:
    """One table version, open for questions."""

    part: Part
    lakewide: Lakewide
    duck: "DuckDBPyConnection"

    @property
    def settings(self) -> Settings:
        return self.lakewide.settings

    def row(self, query: str, **parameters: Any) -> tuple[Any, ...]:
        found: tuple[Any, ...] = self.duck.execute(query, parameters or None).fetchall()[0]
        return found

    def count(self, what: str, query: str, **parameters: Any) -> Fact:
        """The fact that `query` returns this number of rows."""
        (number,) = self.row(f"SELECT count(*) FROM ({query})", **parameters)
        return Fact(number, f"{number:,} {what}")

    def repeated(self, what: str, key: Sequence[str], among: str) -> Fact:
        """The keys of new rows that are more than once in the view `among`, `whole` or `new`.

        Hashes first: they cost half of the keys, and unless some are equal no keys are.
        """
        listed = ", ".join(key)
        within = (
            "" if self.part.whole or among == "new" else f"WHERE hash({listed}) IN (SELECT hash({listed}) FROM new)"
        )
        suspects = f"SELECT hash({listed}) AS h FROM {among} {within} GROUP BY h HAVING count(*) > 1"
        found = self.count(what, suspects)
        if not found.value:
            return found
        again = f"SELECT 1 FROM {among} WHERE hash({listed}) IN ({suspects}) GROUP BY {listed} HAVING count(*) > 1"
        return self.count(what, again)

    def neighbour(self, view: str, table: "DeltaTable | None", columns: Sequence[str]) -> None:
        """Show text columns of another table as `view`; a table that was never written has no rows."""
        if table is None:
            nothing = ", ".join(f"'' AS {column}" for column in columns)
            self.duck.execute(f"CREATE OR REPLACE TEMP VIEW {view} AS SELECT {nothing} WHERE false")
        else:
            self.duck.register(view, table.to_pyarrow_dataset())


Measure = Callable[[Look], Fact]


@contextmanager
def looking(part: Part, lakewide: Lakewide) -> Iterator[Look]:
    """Open a part for questions."""
    with connect(lakewide.settings.lake) as duck:
        whole = part.delta.to_pyarrow_dataset()
        duck.register("whole", whole)
        duck.register("new", whole if part.whole else _files(part, lakewide.settings, whole.schema))
        yield Look(part, lakewide, duck)


def _files(part: Part, settings: Settings, schema: "pa.Schema") -> "ds.Dataset":
    import pyarrow as pa
    import pyarrow.dataset as ds

    root = str(settings.lake.table(part.table.name))
    columns = [schema.field(name) for name in part.table.partitioned_by]
    by_folder = ds.partitioning(pa.schema(columns), flavor="hive")
    return ds.dataset(
        part.paths(settings.lake), schema=schema, partitioning=by_folder, partition_base_dir=root, format="parquet"
    )
