"""What a table promises, in words that no engine owns.

Types are written as both Spark SQL and DuckDB understand them: `string`, `bigint`,
`int`, `double`, `boolean`, `timestamp` (UTC, microseconds), `date`, `decimal(p,s)`,
`map<…>`, `struct<…>`, `array<…>`.
"""

from dataclasses import dataclass
from enum import StrEnum


class Layer(StrEnum):
    """Bronze is as it came, silver is checked and typed, gold answers questions."""

    BRONZE = "bronze"
    SILVER = "silver"
    GOLD = "gold"


@dataclass(frozen=True)
class Column:
    """One column: its type, its meaning and what its values must satisfy."""

    name: str
    type: str
    doc: str
    nullable: bool = True
    one_of: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None

    @property
    def ddl(self) -> str:
        """The column as Spark SQL DDL."""
        return f"`{self.name}` {self.type}" + ("" if self.nullable else " NOT NULL")


@dataclass(frozen=True)
class Table:
    """One table: what a row means, its columns, its key, where it comes from and who writes it."""

    name: str
    doc: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    job: str
    """The stem of the job that writes it, which is also its page, suite and asset."""
    does: str = ""
    """What that job does, in a few words; said by the first of its tables."""
    spark: bool = True
    """The job is one of Spark, spark_jobs/jobs/JOB.py; else a station of another kind writes the table."""
    log_job: tuple[str, str] | None = None
    """A second job, which brings rows of one of the door's logs: its stem, and what it does."""
    reads: tuple[str, ...] = ()
    waits_for: tuple[str, str] | None = None
    """Table and column: while the table is not there, its job has nothing to do before there is a value in them."""
    made_with: tuple[str, ...] = ()
    """Settings (keys or sections) that decide what a row is: with other ones, the layer is rebuilt, never mixed."""
    format: int = 1
    """What a row means, by number (nextclick/formats.py): it grows when older rows cannot stand beside newer ones."""
    partitioned_by: tuple[str, ...] = ()
    change_feed: bool = False
    """Delta's change data feed: needed where rows are updated and a later station reads only changes."""

    def __post_init__(self) -> None:
        names = self.column_names
        if len(set(names)) != len(names):
            raise ValueError(f"{self.name}: a column is named twice")
        unknown = [name for name in (*self.key, *self.partitioned_by) if name not in names]
        if unknown:
            raise ValueError(f"{self.name}: key or partition columns that are not there: {unknown}")

    @property
    def layer(self) -> Layer:
        return Layer(self.name.partition(".")[0])

    @property
    def column_names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    @property
    def ddl(self) -> str:
        """All columns as a Spark SQL schema."""
        return ", ".join(column.ddl for column in self.columns)

    def column(self, name: str) -> Column:
        return next(column for column in self.columns if column.name == name)


@dataclass(frozen=True)
class Job:
    """A Spark job, spark_jobs/jobs/NAME.py, as the tables that it writes describe it."""

    name: str
    does: str
    layer: Layer
    writes: tuple[str, ...]
    reads: tuple[str, ...] = ()
    """Tables; a job without any reads a log."""
    waits_for: tuple[str, str] | None = None
