"""How good the recommender is, as rows of gold.model_daily: what trainings and lists add, and the one way that rows get there."""

import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, date, datetime
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from ml.evaluation.evaluate import Evaluation
from ml.selection import gate
from nextclick.contracts import gold_lists
from nextclick.contracts.gold_analytics import MODEL_DAILY
from nextclick.errors import LakeError, TableBusy
from nextclick.lake import commits, delta, duck, locks
from nextclick.lake.lists_manifest import POPULAR, ListsManifest
from nextclick.settings import Settings

OFFLINE: Final = ("recall", "ndcg", "coverage")
"""Metrics of ml/evaluation/metrics.py that are kept by day, for the model and for popularity."""
_WAIT_SECONDS: Final = 10.0
"""For another process that writes the table, which takes a moment."""


class ModelFigure(NamedTuple):
    """A row of gold.model_daily."""

    date: date
    site: str
    model_version: str
    metric: str
    segment: str
    value: float
    n: int
    low: float | None = None
    high: float | None = None

    @property
    def key(self) -> tuple[Any, ...]:
        return self[:5]


def of_training(settings: Settings, judged: Evaluation, chosen: str, version: str, popular: str) -> list[ModelFigure]:
    """The chosen recipe, which became model `version`, and the popularity that it was compared with, on the test part."""
    now = datetime.now(UTC)
    return [
        _offline(settings, now, judged, recipe, name, model)
        for recipe, model in ((chosen, version), (popular, POPULAR))
        if recipe in judged.metrics
        for name in OFFLINE
    ]


def _offline(
    settings: Settings, now: datetime, judged: Evaluation, recipe: str, name: str, version: str
) -> ModelFigure:
    value = judged.metrics[recipe][f"{name}@{judged.k}"]
    ends = gate.interval(judged.each[recipe]) if name == "recall" else (None, None)
    metric = f"offline_{name}_at_{judged.k}"
    return ModelFigure(day_of(settings, now), settings.site, version, metric, "all", value, judged.people, *ends)


def of_lists(settings: Settings, manifest: ListsManifest, as_of: int) -> Iterator[ModelFigure]:
    """How old what the lists know is (`as_of`: their newest event, in microseconds), and who has one, as they were published."""
    table = delta.require(settings.lake, gold_lists.RECOMMENDATIONS.name)
    with duck.connect(settings.lake) as database:
        duck.show(database, "lists", settings.lake, gold_lists.RECOMMENDATIONS.name, table)
        [(people,)] = database.sql("SELECT count(*) FROM lists WHERE rank = 1").fetchall()
    hours = (manifest.generated_at.timestamp() - as_of / 1e6) / 3600
    values = {"lists_age_hours": hours, "lists_people_share": people / manifest.people if manifest.people else 0.0}
    day = day_of(settings, manifest.generated_at)
    for metric, value in values.items():
        yield ModelFigure(day, manifest.site, manifest.model_version, metric, "all", value, manifest.people)


def day_of(settings: Settings, moment: datetime) -> date:
    """The day of a moment where the site is."""
    return moment.astimezone(ZoneInfo(settings.analytics.timezone_for(settings.site))).date()


def add(settings: Settings, figures: Iterable[ModelFigure]) -> str:
    """Put figures beside those of their days, in the place of earlier ones of equal key; what hindered it, where something did.

    Who calls has done its work, which does not fail for want of a figure.
    """
    try:
        put(settings, {figure.key: figure for figure in figures})
    except LakeError as error:
        return f"not written: {error}"
    return "written"


def put(
    settings: Settings,
    figures: dict[tuple[Any, ...], ModelFigure],
    anew: Collection[date] = (),
    facts: Mapping[str, str] | None = None,
) -> int:
    """Put figures into the table in one commit, with the `facts`; returns how many rows changed, and writes nothing for none.

    Of the days `anew` the online figures that are not among them go.
    """
    lake, days = settings.lake, {*anew, *(figure.date for figure in figures.values())}
    with _held(settings):
        before = {row.key: row for row in (ModelFigure(**each) for each in delta.rows_of_days(lake, MODEL_DAILY, days))}
        stay = {key: row for key, row in before.items() if not (row.date in anew and row.metric.startswith("online_"))}
        after = stay | figures
        changed = {row.date for row in {*before.values()} ^ {*after.values()}}
        if changed:
            rows = [row._asdict() for row in after.values() if row.date in changed]
            commits.replace_days(lake, MODEL_DAILY, rows, changed, facts)
    return len({*after.values()} - {*before.values()})


@contextmanager
def _held(settings: Settings) -> Iterator[None]:
    """The table's lock, for which a moment is waited."""
    end = time.monotonic() + _WAIT_SECONDS
    with ExitStack() as stack:
        while True:
            try:
                stack.enter_context(locks.hold(settings.lake.locks, MODEL_DAILY.name, purpose="model_daily"))
                break
            except TableBusy:
                if time.monotonic() > end:
                    raise
                time.sleep(0.2)
        yield
