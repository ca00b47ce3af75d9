"""What a report is: rows of tables, the columns that they may be grouped by, and the figures that are counted over them."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import chain
from typing import Final
from zoneinfo import ZoneInfo

from analytics.people.counts import Counting
from analytics.people.first_days import plain
from nextclick.definitions.metric import Metric
from nextclick.lake.duck import text
from nextclick.lake.paths import Lake
from nextclick.settings import AnalyticsSettings

_EVER: Final = (date(1000, 1, 1), date(9000, 1, 1))
_PERIODS: Final = ("week", "month", "year")
FIRSTS_AROUND: Final = 14
ROWS: Final = "rows"
"""Among values: a query in the place of a report's rows."""


@dataclass(frozen=True)
class Report:
    """A report by its rows. Figures are counted over them after they were filtered and grouped, so none is made from others' ratios."""

    name: str
    doc: str
    """What it answers, in one sentence."""
    reads: tuple[str, ...]
    rows: str
    """A query of `reads` in DuckDB's SQL, translated for Spark. Its columns are the dimensions, and what metrics count.

    {firsts} in it is site, visitor_id and first_date, the first day ever, of visitors of the first table that it reads: at least of
    those whose first day lies at most FIRSTS_AROUND days before or behind the range's days.
    """
    dimensions: tuple[str, ...]
    metrics: tuple[Metric, ...]
    counted: Counting | None = None
    """The same rows, sooner, from the numbers of visitors of the one table that it reads."""
    by: tuple[str, ...] = ("date",)
    """How it is grouped where nobody says."""
    date: str | None = "date"
    """The dimension that a range of days is of."""
    across: str | None = None
    """The dimension whose values stand side by side in a terminal, with the last metric below them."""
    around: int | None = None
    """So many days before and behind the range's, rows of its tables count for something; farther ones are not even looked for.
    None: whichever `rows` names.
    """
    onwards: bool = False
    """All days behind the range's are among them."""
    looks_back: bool = False
    """The analytics.active_days days around the range's are among them."""
    last_day: bool = False
    """The figures of a range are those of its last full day."""
    expects: str = ""
    """What has to be sent for it, where that is not sent anyway."""
    beside: Mapping[str, str] = field(default_factory=dict, hash=False)
    """Dimension → SQL of rows that have no value of it, and stand beside those of each value (nextclick.definitions.metric.beside)."""
    without: Mapping[str, str] = field(default_factory=dict, hash=False)
    """Dimension → its rows but for those that are there for its values alone: they do where nothing asks for these."""
    says: Callable[[Lake], tuple[str, ...]] | None = None
    """What has to be known of its tables, in sentences."""
    of_states: bool = False
    """It reads `table_states`: of each table its name, version, rows and written_at, as the logs say."""

    @property
    def final(self) -> bool:
        """Whether its figures are those of its rows: nothing in it may be put together without care."""
        return not any(metric.adds_up and not metric.apart for metric in self.metrics)

    @property
    def is_of_days(self) -> bool:
        """Whether a range of days matters to it."""
        return self.date is not None or "{until}" in self.rows

    @property
    def groups(self) -> tuple[str, ...]:
        """What it may be grouped by: the dimensions, and the week (its Monday), month or year of the day."""
        return self.dimensions + (_PERIODS if self.date else ())

    def query(
        self,
        groupings: Sequence[Sequence[str]],
        metrics: Iterable[Metric],
        values: Mapping[str, str],
        where: str = "true",
        filtered: Iterable[str] = (),
    ) -> str:
        """Figures of the rows for which `where` holds, which is about the dimensions `filtered`, in one pass for several groupings.

        First come the columns of all groupings, then a number, which has a bit for each of them that a row is not grouped by
        (the last column's is 1), then the figures.
        """
        metrics = tuple(metrics)
        wanted = {*filtered, *chain(*groupings), *chain(*(metric.apart for metric in metrics))}
        names = _listed(dict.fromkeys(chain(*groupings)))
        sets = ", ".join(f"({_listed(by)})" for by in groupings)
        group = _listed(dict.fromkeys(name for by in groupings for name in by if name not in self.beside))
        partition = ", ".join(filter(None, (f"grouping_id({names})", group)))
        figures = ", ".join(f'{metric.guarded} AS "{metric.name}"' for metric in metrics).replace("{group}", partition)
        return (
            f"SELECT {names}, grouping_id({names}) AS ungrouped, {figures} FROM ({self._grouped_rows(values, wanted)}) WHERE {where} "
            f"GROUP BY GROUPING SETS ({sets})"
        )

    def view(self, metrics: Iterable[Metric], values: Mapping[str, str]) -> str:
        """Figures by all dimensions."""
        names = _listed(self.dimensions)
        figures = ", ".join(f'{metric.guarded} AS "{metric.name}"' for metric in metrics)
        return f"SELECT {names}, {figures} FROM ({self._filled(self.rows, values)}) GROUP BY {names}"

    def _grouped_rows(self, values: Mapping[str, str], wanted: Collection[str]) -> str:
        """Its rows with the periods that a day lies in; of dimensions those that are `wanted` have all of their values."""
        rows = next((fewer for name, fewer in self.without.items() if name not in wanted), self.rows)
        periods = [
            f"CAST(date_trunc('{period}', {self.date}) AS DATE) AS \"{period}\"" for period in _PERIODS if self.date
        ]
        return f"SELECT {', '.join(['*', *periods])} FROM ({values.get(ROWS) or self._filled(rows, values)})"

    def _filled(self, rows: str, values: Mapping[str, str]) -> str:
        """The query of its rows; `values` may also name a view that stands for a table."""
        if "firsts" not in values:
            rows = rows.replace("{firsts}", plain("".join(self.reads[:1])))
        places = {name if "." in name else f"{{{name}}}": value for name, value in values.items()}
        once = re.compile("|".join(map(re.escape, places)))  # a value is no place for others
        return once.sub(lambda match: places[match[0]], rows)


def seconds_between(start: str, end: str) -> str:
    """SQL of the seconds between two times, in DuckDB's words; date_diff asks the calendar of a zone, which takes thirty times as long."""
    return f"(epoch_us({end}) - epoch_us({start})) / 1000000"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def report_values(
    settings: AnalyticsSettings, newest: str, first: date = _EVER[0], last: date = _EVER[1]
) -> dict[str, str]:
    """What stands in `rows` for {since} and {until} (the range's days), {newest} (SQL of the last full day that there is),
    {active_days}, {zone} (that of a row's site) and {counts} (whether a row of silver is of somebody who counts).
    """
    days = {"since": f"DATE '{first}'", "until": f"DATE '{last}'", "newest": newest, "counts": "true"}
    return days | {"active_days": str(settings.active_days), "zone": _zone(settings)}


def earliest_today(settings: AnalyticsSettings, now: datetime) -> date:
    """The day that it is where it is earliest, of all zones of the settings: no site's today counts as finished."""
    return min(now.astimezone(ZoneInfo(zone)).date() for zone in (settings.timezone, *settings.timezones.values()))


def _zone(settings: AnalyticsSettings) -> str:
    if not settings.timezones:
        return text(settings.timezone)
    cases = " ".join(f"WHEN {text(site)} THEN {text(zone)}" for site, zone in settings.timezones.items())
    return f"CASE site {cases} ELSE {text(settings.timezone)} END"
