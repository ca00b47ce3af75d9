"""The step `attribution`: days of gold.conversions that changed → gold.attribution_daily, and the last 90 → gold.attribution_fitted.

Of the same conversions and visits come the same rows, however they were made: by days that changed, or anew.
"""

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

from analytics.attribution import refusals
from analytics.attribution.credits import LINES, Lines
from analytics.attribution.fit import Fit, SiteGoal, fits
from nextclick.contracts import arrow
from nextclick.contracts.gold_analytics import ATTRIBUTION_DAILY, ATTRIBUTION_FITTED, CONVERSIONS, VISITS
from nextclick.contracts.table import Table
from nextclick.definitions.attribution import FITTED, RULES
from nextclick.lake import commits, delta, duck, locks
from nextclick.lake.day_changes import changed_days, cursor_at, last_cursor
from nextclick.report import JobReport
from nextclick.settings import Settings

if TYPE_CHECKING:
    from deltalake import DeltaTable
    from duckdb import DuckDBPyConnection

_CURSORS: Final = {table.name: f"nextclick.{table.name}" for table in (CONVERSIONS, VISITS)}
"""In a commit's information: of which versions of these tables the rows were made."""
_DAYS_AT_ONCE: Final = 31
"""Days whose conversions are in memory together."""
Progress = Callable[..., None]


def run(settings: Settings, progress: Progress = lambda *_: None) -> JobReport:
    """Make the days anew whose conversions changed since the last time, and the fitted rules where anything did."""
    started, lake = time.monotonic(), settings.lake
    sources = {table.name: delta.require(lake, table.name) for table in (CONVERSIONS, VISITS)}
    targets = (ATTRIBUTION_DAILY.name, ATTRIBUTION_FITTED.name)
    held = locks.hold(lake.locks, *targets, purpose=ATTRIBUTION_DAILY.job)
    with held, duck.answering(lake, "Who gets the credit of conversions") as database:
        for name, table in sources.items():
            duck.show(database, name.partition(".")[2], lake, name, table)
        written = _write_days(settings, database, sources[CONVERSIONS.name], progress)
        fitted, refused = _write_fitted(settings, database, sources)
    return JobReport(
        job=ATTRIBUTION_DAILY.job,
        written=written + fitted,
        seconds=time.monotonic() - started,
        details={f"{site} {goal}": f"not fitted: {reason}" for (site, goal), reason in refused.items()},
    )


def _write_days(
    settings: Settings, database: "DuckDBPyConnection", conversions: "DeltaTable", progress: Progress
) -> int:
    """The rules that look at one path alone; returns how many rows there are now of the days that changed."""
    lake, half_life = settings.lake, settings.analytics.decay_days
    cursor, made_with = _CURSORS[CONVERSIONS.name], str(half_life)
    days = changed_days(lake, CONVERSIONS.name, conversions, ATTRIBUTION_DAILY.name, cursor, made_with)
    if not days:
        commits.create(lake, ATTRIBUTION_DAILY)
        return 0
    parts = []
    for done, table in _lines(database, days):
        lines = Lines(table)
        parts += [lines.credits(rule, half_life) for rule in RULES]
        progress(done, len(days))
    rows = _rows(ATTRIBUTION_DAILY, parts)
    commits.replace_days(lake, ATTRIBUTION_DAILY, rows, days, cursor_at(conversions, made_with).fact(cursor))
    return len(rows)


def _write_fitted(
    settings: Settings, database: "DuckDBPyConnection", sources: Mapping[str, "DeltaTable"]
) -> tuple[int, dict[SiteGoal, str]]:
    """The fitted rules; returns how many rows there are now, and whom they say nothing of, with the reason."""
    lake, target = settings.lake, ATTRIBUTION_FITTED.name
    cursors = {_CURSORS[name]: cursor_at(table) for name, table in sources.items()}
    if all(last_cursor(lake, target, name) == cursor for name, cursor in cursors.items()):
        return 0, {}
    fitted = fits(database)
    kept = {key: fit for key, fit in fitted.items() if fit.refused is None}
    days = {fit.first + timedelta(n) for fit in kept.values() for n in range((fit.last - fit.first).days + 1)}
    parts = [part for _, table in _lines(database, days) for part in _fitted_credits(table, kept)]
    rows = _rows(ATTRIBUTION_FITTED, parts)
    refused = {key: fit.refused for key, fit in fitted.items() if fit.refused is not None}
    facts = {name: fact for each, cursor in cursors.items() for name, fact in cursor.fact(each).items()}
    commits.write(lake, ATTRIBUTION_FITTED, rows, "overwrite", facts | refusals.as_fact(refused))
    return len(rows), refused


def _fitted_credits(lines: pa.Table, fitted: Mapping[SiteGoal, Fit]) -> Iterator[pa.Table]:
    for (site, goal), fit in fitted.items():
        theirs = lines.filter(
            (pc.field("site") == site) & (pc.field("goal") == goal) & (pc.field("date") >= pa.scalar(fit.first))
        )
        if len(theirs):
            read = Lines(theirs)
            for rule in FITTED:
                rows = read.credits(rule, effects=fit.effects)
                yield rows.append_column("fitted_to", pa.repeat(pa.scalar(fit.last), len(rows)))


def _lines(database: "DuckDBPyConnection", days: Collection[date]) -> Iterator[tuple[int, pa.Table]]:
    """What conversions of the days earned, some days at a time; with how many days are done then."""
    ordered = sorted(days)
    for start in range(0, len(ordered), _DAYS_AT_ONCE):
        some = ordered[start : start + _DAYS_AT_ONCE]
        query = f"FROM ({LINES}) WHERE date BETWEEN $first AND $last AND list_contains($days, date)"
        lines = database.sql(query, params={"first": some[0], "last": some[-1], "days": some}).to_arrow_table()
        if len(lines):
            yield start + len(some), lines


def _rows(table: Table, parts: list[pa.Table]) -> pa.Table:
    schema = arrow.schema(table)
    return pa.concat_tables([schema.empty_table(), *(part.select(schema.names).cast(schema) for part in parts)])
