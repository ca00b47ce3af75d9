"""Funnels: how many visitors, people or visits did one thing after the other within a time.

The steps are in order, and events of one time count as in order. A chain is whole within `within` of its start, both ends included;
it starts in the days asked for, and its later events may lie behind them. Each unit counts once, at the deepest step that any of
its chains reaches. One event is one step, so the same condition twice needs two events. Strict: of what the unit did, nothing
else lies between; passive events and what the system says (nextclick/contracts/events.py) count there only as steps.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from analytics.journeys import units
from analytics.journeys.days import Days, moments_sql
from analytics.journeys.patterns import ANY, EventPattern, Values, pattern, pattern_sql, text_sql
from analytics.journeys.units import Unit
from nextclick.audiences.durations import duration
from nextclick.contracts.events import OUTSIDE_SESSIONS, PASSIVE
from nextclick.definitions.chains import Numbers, chains
from nextclick.errors import UsageError
from nextclick.lake import duck
from nextclick.settings import Settings

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

MOST_STEPS: Final = 10
MOST_VALUES: Final = 20
"""Values of a break-down that are named; the rest is OTHER."""
OTHER, ABSENT = "(other)", "(none)"
_ROWS_AT_ONCE: Final = 20_000_000
"""Events that are looked at together: some 60 bytes each. Of more, units are taken in parts."""
_MICROSECOND: Final = timedelta(microseconds=1)


class FunnelQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """A funnel as somebody asks for it."""

    steps: tuple[EventPattern, ...]
    within: timedelta
    unit: Unit = Unit.VISITOR
    strict: bool = False
    days: Days = Days()
    by: str | None = None
    """Field or property of the first step whose values are told apart."""


class FunnelStep(msgspec.Struct, frozen=True, kw_only=True):
    """How many came how far."""

    step: str
    units: int
    """They do not add up over days or sites, where one unit has several."""
    of_first: float | None
    """Share of those of the first step; None where there are none."""
    of_previous: float | None
    median_seconds: float | None = None
    """Since the step before, of each unit's first complete chain; None at the first step, and where no chain is complete."""
    p90_seconds: float | None = None


class Funnel(msgspec.Struct, frozen=True, kw_only=True):
    """The answer: of all, and of each value of the break-down, the commonest first. Over the values, units add up to all."""

    unit: str
    within_seconds: float
    strict: bool
    steps: list[FunnelStep]
    by: str | None = None
    values: dict[str, list[FunnelStep]] = {}


def question(settings: Settings, steps: Sequence[str], within: str | None = None, **options: Any) -> FunnelQuestion:
    """Read steps and a time such as 30m, 12h or 7d; one step alone names a funnel of the settings."""
    named = settings.analytics.funnels
    if len(steps) == 1:
        if steps[0] not in named:
            known = ", ".join(named) or "none"
            raise UsageError(
                f"A funnel has two steps or more, or a name of [analytics.funnels] of the settings ({known})."
            )
        steps, within = named[steps[0]].steps, within or named[steps[0]].within
    if not 2 <= len(steps) <= MOST_STEPS:
        raise UsageError(f"A funnel has 2 to {MOST_STEPS} steps, this one {len(steps)}.")
    return FunnelQuestion(steps=tuple(map(pattern, steps)), within=duration(within or "7d"), **options)


def answer(settings: Settings, question: FunnelQuestion) -> Funnel:
    """Count, in one pass over the events of the days."""
    tallies: dict[str, _Tally] = {}
    with duck.answering(settings.lake, "The funnel") as database:
        rows = units.show(database, settings, question.unit, question.days, question.within)
        for part in _parts(database, settings, question, 1 + rows // _ROWS_AT_ONCE):
            for value, tally in _tallies(part, question):
                tallies[value] = tallies[value] + tally if value in tallies else tally
    return Funnel(
        unit=question.unit,
        within_seconds=question.within.total_seconds(),
        strict=question.strict,
        steps=_steps(question, _sum(question, tallies.values())),
        by=question.by,
        values={value: _steps(question, tally) for value, tally in _commonest(question, tallies)}
        if question.by
        else {},
    )


class _Tally(NamedTuple):
    """What is counted of some units."""

    units: Numbers
    """By how many steps they reached, from none."""
    gaps: Numbers
    """[unit that reached all, step from the second]: microseconds since the step before."""

    def __add__(self, other: "_Tally") -> "_Tally":  # type: ignore[override]
        return _Tally(self.units + other.units, np.concatenate([self.gaps, other.gaps]))


def _sum(question: FunnelQuestion, tallies: Iterable[_Tally]) -> _Tally:
    n = len(question.steps)
    return sum(tallies, start=_Tally(np.zeros(n + 1, np.int64), np.empty((0, n - 1), np.int64)))


def _parts(
    database: "DuckDBPyConnection", settings: Settings, question: FunnelQuestion, parts: int
) -> Iterator[pa.Table]:
    """Rows of site, unit, microsecond, steps (bits) and, with a break-down, value: events that can be a step, or break a strict chain."""
    values = Values()
    first, behind = moments_sql(settings, question.days, values)
    steps = [pattern_sql(step, values) for step in question.steps]
    steps[0] += f" AND occurred_at >= {first} AND occurred_at < {behind}"
    bits = " + ".join(f"({step})::INT * {1 << bit}" for bit, step in enumerate(steps))
    by = f", coalesce({text_sql(question.by, values)}, '{ABSENT}') AS value" if question.by else ""
    within = f"to_microseconds({values.add(question.within // _MICROSECOND)})"
    where = [f"occurred_at >= {first}", f"occurred_at < {behind} + {within}"]
    if question.days.site is not None:
        where.append(f"site = {values.add(question.days.site)}")
    kept = "steps <> 0"
    if question.strict:
        kept += f" OR event NOT IN {(*OUTSIDE_SESSIONS, *PASSIVE)}"
    elif all(step.event != ANY for step in question.steps):
        where.append(f"event IN ({', '.join(values.add(step.event) for step in question.steps)})")
    for part in range(parts):
        mine = [f"hash(unit) % {parts} = {part}"] * (parts > 1)
        yield database.sql(
            f"""
            SELECT site, unit, epoch_us(occurred_at) AS at, steps{", value" if by else ""}
            FROM (SELECT *, ({bits})::USMALLINT AS steps{by} FROM unit_events WHERE {" AND ".join(where + mine)})
            WHERE {kept}
            """,
            params=values,
        ).to_arrow_table()


def _tallies(rows: pa.Table, question: FunnelQuestion) -> Iterator[tuple[str, _Tally]]:
    """By value of the break-down: of one part of the units, each counted once."""
    n, (code, names) = len(question.steps), _values(rows)
    order = pc.sort_indices(names)
    value = pc.sort_indices(order).to_numpy().astype(np.int32)[code]  # of several first steps the least text counts
    reached = chains(
        _units(rows),
        rows["at"].to_numpy(),
        rows["steps"].to_numpy(),
        value,
        n,
        question.within // _MICROSECOND,
        question.strict,
    )
    some = reached.depth > 0
    counts = np.bincount(reached.value[some] * (n + 1) + reached.depth[some], minlength=len(names) * (n + 1))
    complete = reached.value[reached.depth == n]
    by_value = np.argsort(complete, kind="stable")
    gaps = np.split(np.diff(reached.times, axis=1)[by_value], np.searchsorted(complete[by_value], range(1, len(names))))
    yield from zip(names.take(order).to_pylist(), map(_Tally, counts.reshape(-1, n + 1), gaps), strict=True)


def _values(rows: pa.Table) -> tuple[Numbers, pa.Array]:
    """As `_codes`; where there is no break-down, all are of one value."""
    if "value" in rows.column_names:
        return _codes(rows["value"])
    return np.zeros(len(rows), np.int8), pa.array([""])


def _units(rows: pa.Table) -> Numbers:
    """A number for each unit, from 0: those of different sites differ."""
    (unit, names), (site, sites) = _codes(rows["unit"]), _codes(rows["site"])
    if len(sites) < 2:
        return unit
    dense: Numbers = np.unique(site.astype(np.int64) * len(names) + unit, return_inverse=True)[1]
    return dense


def _codes(texts: pa.ChunkedArray) -> tuple[Numbers, pa.Array]:
    """A number for each text, from 0, and the texts by their numbers."""
    encoded = texts.dictionary_encode().combine_chunks()
    return encoded.indices.to_numpy(), encoded.dictionary


def _commonest(question: FunnelQuestion, tallies: Mapping[str, _Tally]) -> Iterator[tuple[str, _Tally]]:
    """Values by units of the first step, then by name, and the rest as OTHER."""
    entered = sorted((-int(tally.units[1:].sum()), value) for value, tally in tallies.items() if tally.units[1:].any())
    for _, value in entered[:MOST_VALUES]:
        yield value, tallies[value]
    if rest := entered[MOST_VALUES:]:
        yield OTHER, _sum(question, (tallies[value] for _, value in rest))


def _steps(question: FunnelQuestion, tally: _Tally) -> list[FunnelStep]:
    counts = np.cumsum(tally.units[::-1])[::-1][1:].tolist()
    seconds = tally.gaps / 1e6
    return [
        FunnelStep(
            step=step.text,
            units=counts[k],
            of_first=counts[k] / counts[0] if counts[0] else None,
            of_previous=counts[k] / counts[k - 1] if k and counts[k - 1] else None,
            median_seconds=float(np.median(seconds[:, k - 1])) if k and len(seconds) else None,
            p90_seconds=float(np.quantile(seconds[:, k - 1], 0.9)) if k and len(seconds) else None,
        )
        for k, step in enumerate(question.steps)
    ]
