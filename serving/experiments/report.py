"""What an experiment has found so far: rates, differences and the sample-ratio check, from silver.

A unit is exposed from the first impression of an answer that was made under a variant: one that was served and
never shown is none. It succeeds if it does the experiment's `metric` within the window after that, and it
counts once that window is over, so what counts never changes with later looks.
"""

from collections.abc import Mapping
from datetime import date
from typing import Any, Literal

import msgspec

from nextclick.contracts.events import WITH_PIECES
from nextclick.contracts.silver import EVENTS
from nextclick.lake.people import human_events
from nextclick.settings import Settings
from serving.experiments import sequential
from serving.experiments.assignment import Experiment
from serving.experiments.sequential import Difference, Interval
from serving.human_events import events

READS = (EVENTS.name, *human_events.READS)
"""The tables that a report is made of."""
SUSPICIOUS = 0.001
"""An always-valid p-value of the sample ratio below it: variants lose units, so do not trust the rates."""


class VariantReport(msgspec.Struct, frozen=True, kw_only=True):
    """One variant's units and answers."""

    name: str
    share: float
    """Of the experiment's units, as planned."""
    exposed: int
    """Units that were really shown an answer of this variant, and of no other."""
    units: int
    """Those of them whose window is over: the rates are of these."""
    successes: int
    rate: Interval
    answers: int
    """Answers that were shown to the exposed."""
    clicked: int
    """Those of them with a click."""


class VariantComparison(msgspec.Struct, frozen=True, kw_only=True):
    """A variant against the control; the interval and p hold for all comparisons together, at every look."""

    variant: str
    control: str
    difference: Difference | None
    """None while one of them has no units."""
    verdict: Literal["better", "worse", "open"]


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """The differences as they were when a day (UTC) was over, of the units whose window was over by then."""

    date: date
    differences: dict[str, Difference]
    """By variant, where both it and the control had units."""


class SampleRatio(msgspec.Struct, frozen=True, kw_only=True):
    """Whether units are in variants as planned."""

    chi_square_p: float
    """Of one look."""
    p: float
    """Always valid: the one that decides."""
    suspicious: bool


class ExperimentReport(msgspec.Struct, frozen=True, kw_only=True):
    """An experiment at one version of silver.events."""

    experiment: str
    site: str
    unit: str
    metric: str
    window_minutes: float
    confidence: float
    version: int
    """Of silver.events."""
    variants: list[VariantReport]
    comparisons: list[VariantComparison]
    sample_ratio: SampleRatio
    mixed: int
    """Units that were exposed to several variants, and so count in none."""
    looks: list[Look]
    """The sequence that led here: a look for each day on which windows ended."""


_QUERY = f"""
WITH answers AS (
    SELECT request_id, $unit AS unit, split(variant, ',')[list_position(split(experiment, ','), $name)] AS variant
    FROM events
    WHERE site = $site AND event = 'served' AND source = 'server' AND list_contains(split(experiment, ','), $name)
), seen AS (
    SELECT request_id,
        min(occurred_at) FILTER (event = 'impression' AND occurred_at >= $start AND occurred_at < $stop) AS shown_at,
        bool_or(event = 'click') AS clicked
    FROM events WHERE site = $site AND event IN ('impression', 'click') AND request_id IS NOT NULL
    GROUP BY request_id
), shown AS (
    SELECT DISTINCT request_id, unit, variant, shown_at, clicked FROM answers JOIN seen USING (request_id)
    WHERE shown_at IS NOT NULL AND unit IS NOT NULL AND variant IS NOT NULL
), exposed AS (
    SELECT unit, min(variant) AS variant, count(DISTINCT variant) AS variants, min(shown_at) AS shown_at,
        count(*) AS answers, count(*) FILTER (clicked) AS clicked
    FROM shown GROUP BY unit
), done AS (
    SELECT DISTINCT exposed.unit FROM exposed JOIN events ON $unit = exposed.unit
    WHERE site = $site AND event = $metric AND ($metric <> 'click' OR request_id IS NOT NULL)
        AND NOT (event IN {WITH_PIECES} AND coalesce(quantity, 1) = 0)
        AND occurred_at >= shown_at AND occurred_at < shown_at + $window
), judged AS (
    SELECT exposed.*, shown_at + $window <= (SELECT max(received_at) FROM events) AS closed, done.unit IS NOT NULL AS success
    FROM exposed LEFT JOIN done USING (unit)
)
SELECT variant, variants > 1 AS mixed, CASE WHEN closed THEN ((shown_at + $window) AT TIME ZONE 'UTC')::DATE END AS closed_on,
    count(*), count(*) FILTER (closed), count(*) FILTER (closed AND success), sum(answers)::BIGINT, sum(clicked)::BIGINT
FROM judged GROUP BY ALL
"""


class _Counts(msgspec.Struct):
    exposed: int = 0
    units: int = 0
    successes: int = 0
    answers: int = 0
    clicked: int = 0

    def __add__(self, other: "_Counts") -> "_Counts":
        return _Counts(*map(sum, zip(msgspec.structs.astuple(self), msgspec.structs.astuple(other), strict=True)))


_Days = Mapping[date | None, _Counts]
"""Of a variant, by the day on which windows ended; None: those that are open."""


def report(settings: Settings, experiment: Experiment) -> ExperimentReport:
    """The experiment as silver.events tells it now."""
    version, days, mixed = _counted(settings, experiment)
    counts = {name: sum(of.values(), _Counts()) for name, of in days.items()}
    alpha = 1 - experiment.confidence
    names, shares = list(experiment.shares), list(experiment.shares.values())
    ratio = sequential.sample_ratio([counts[name].exposed for name in names], shares)
    return ExperimentReport(
        experiment=experiment.name,
        site=experiment.site,
        unit=experiment.unit,
        metric=experiment.metric,
        window_minutes=experiment.window_minutes,
        confidence=experiment.confidence,
        version=version,
        variants=[_variant(experiment, name, counts[name], alpha) for name in names],
        comparisons=[_comparison(experiment, name, counts) for name in names if name != experiment.control],
        sample_ratio=SampleRatio(chi_square_p=ratio[0], p=ratio[1], suspicious=ratio[1] < SUSPICIOUS),
        mixed=mixed,
        looks=_looks(experiment, days),
    )


def _looks(experiment: Experiment, days: Mapping[str, _Days]) -> list[Look]:
    looks, counts = [], {name: _Counts() for name in days}
    for day in sorted({day for of in days.values() for day in of if day}):
        counts = {name: counts[name] + days[name].get(day, _Counts()) for name in days}
        differences = {name: _difference(experiment, name, counts) for name in days if name != experiment.control}
        looks.append(Look(date=day, differences={name: each for name, each in differences.items() if each}))
    return looks


def _counted(settings: Settings, experiment: Experiment) -> tuple[int, dict[str, dict[date | None, _Counts]], int]:
    """The version, counts by variant and day, and units of several variants."""
    counts: dict[str, dict[date | None, _Counts]] = {name: {} for name in experiment.shares}
    mixed = 0
    params: dict[str, Any] = {
        "name": experiment.name,
        "site": experiment.site,
        "start": experiment.start,
        "stop": experiment.stop,
        "metric": experiment.metric,
        "window": experiment.window,
    }
    with events(settings) as (duck, version):
        unit = {"visitor": "visitor_id", "user": "user_id"}[experiment.unit]
        for variant, several, day, *values in duck.execute(_QUERY.replace("$unit", unit), params).fetchall():
            if several:
                mixed += values[0]
            elif variant in counts:  # one that the file no longer names is of another experiment
                counts[variant][day] = _Counts(*values)
    return version, counts, mixed


def _variant(experiment: Experiment, name: str, counts: _Counts, alpha: float) -> VariantReport:
    return VariantReport(
        name=name,
        share=experiment.shares[name],
        rate=sequential.rate(
            counts.successes, counts.units, alpha, experiment.expected_units * experiment.shares[name]
        ),
        **msgspec.structs.asdict(counts),
    )


def _difference(experiment: Experiment, name: str, counts: Mapping[str, _Counts]) -> Difference | None:
    ours, theirs = counts[name], counts[experiment.control]
    return sequential.difference(
        (theirs.successes, theirs.units),
        (ours.successes, ours.units),
        (1 - experiment.confidence) / (len(experiment.shares) - 1),  # Bonferroni
        experiment.expected_units * (experiment.shares[name] + experiment.shares[experiment.control]),
    )


def _comparison(experiment: Experiment, name: str, counts: Mapping[str, _Counts]) -> VariantComparison:
    difference = _difference(experiment, name, counts)
    verdict: Literal["better", "worse", "open"] = "open"
    if difference and not difference.low <= 0 <= difference.high:
        verdict = "better" if difference.value > 0 else "worse"
    return VariantComparison(variant=name, control=experiment.control, difference=difference, verdict=verdict)
