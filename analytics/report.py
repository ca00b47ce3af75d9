"""What a report is: rows of tables, the columns that they may be grouped by, and the figures that are counted over them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from nextclick.definitions.metric import Metric

ANY_DAY: Final = {
    "since": "DATE '0001-01-01'",
    "until": "DATE '9999-12-31'",
    "today": "current_date",
    "active_days": "28",
}
"""What stands in `rows` for {since}, {until} (the range's days), {today} and {active_days}, where nobody says another."""
_PERIODS: Final = ("week", "month", "year")


@dataclass(frozen=True)
class Report:
    """A report by its rows. Figures are counted over them after they were filtered and grouped, so none is made from others' ratios."""

    name: str
    doc: str
    """What it answers, in one sentence."""
    reads: tuple[str, ...]
    rows: str
    """A query of `reads` in DuckDB's SQL, translated for Spark. Its columns are the dimensions, and what metrics count."""
    dimensions: tuple[str, ...]
    metrics: tuple[Metric, ...]
    by: tuple[str, ...] = ("date",)
    """How it is grouped where nobody says."""
    date: str | None = "date"
    """The dimension that a range of days is of."""
    across: str | None = None
    """The dimension whose values stand side by side in a terminal, with the last metric below them."""
    last_day: bool = False
    """The figures of a range are those of its last full day."""
    of_states: bool = False
    """It reads `table_states`: of each table its name, version, rows and written_at, as the logs say."""

    @property
    def groups(self) -> tuple[str, ...]:
        """What it may be grouped by: the dimensions, and the week (its Monday), month or year of the day."""
        return self.dimensions + (_PERIODS if self.date else ())

    def query(
        self, by: Iterable[str], metrics: Iterable[Metric], where: str = "true", values: Mapping[str, str] = ANY_DAY
    ) -> str:
        """Figures of each group of the rows for which `where` holds."""
        named = {name: self._group(name) for name in by}
        columns = [f'{sql} AS "{name}"' for name, sql in named.items()]
        columns += [f'{metric.guarded} AS "{metric.name}"' for metric in metrics]
        grouped = f" GROUP BY {', '.join(named.values())}" if named else ""
        return f"SELECT {', '.join(columns)} FROM ({self.filled(values)}) WHERE {where}{grouped}"

    def filled(self, values: Mapping[str, str] = ANY_DAY) -> str:
        """The query of its rows."""
        rows = self.rows
        for name, value in values.items():
            rows = rows.replace(f"{{{name}}}", value)
        return rows

    def _group(self, name: str) -> str:
        return f"CAST(date_trunc('{name}', {self.date}) AS DATE)" if name in _PERIODS else f'"{name}"'
