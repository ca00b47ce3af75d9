"""How good the model is beside popularity, and the lists that it made."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any, Final, NamedTuple

from analytics.answers import Reports
from analytics.catalog import report as named
from analytics.comparison import change
from dashboard.address import PageAddress
from dashboard.texts import duration_text, label, share_text
from nextclick.lake import lists_manifest
from nextclick.lake.lists_manifest import POPULAR
from nextclick.settings import Settings

_OFFLINE: Final = "offline_"
_ONLINE: Final = "online_"
_ALL: Final = "all"


class _Figure(NamedTuple):
    """A row of the report `model`."""

    date: date
    site: str
    model_version: str
    metric: str
    segment: str
    value: float
    n: int
    low: float | None
    high: float | None

    @property
    def interval(self) -> str:
        return "–" if self.low is None or self.high is None else f"{self.low:.3f} to {self.high:.3f}"


def model(settings: Settings, reports: Reports, view: PageAddress) -> Mapping[str, Any]:
    """The newest training's figures beside popularity's, what they were at each training, and what answers show since."""
    figures = [figure for figure in _figures(reports, view) if figure.segment == _ALL]
    if not figures:
        return {"pairs": [], "online": []}
    site = max(figures).site  # each site has a model of its own
    ours = [figure for figure in figures if figure.site == site]
    pairs = _pairs(ours)
    facts = {"site": site, "sites": len({figure.site for figure in figures}), "pairs": pairs, "online": _online(ours)}
    if not pairs:
        return facts
    names = [_name(own.metric) for own, _ in pairs]
    chosen = view.word("metric") if view.word("metric") in {own.metric for own, _ in pairs} else pairs[0][0].metric
    return facts | {
        "versus": _versus(names, pairs),
        "tabs": [(_name(own.metric), view.link(metric=own.metric), own.metric == chosen) for own, _ in pairs],
        "history": _history(ours, chosen),
        "name": _name,
        "change": change,
    }


def _figures(reports: Reports, view: PageAddress) -> Sequence[_Figure]:
    """Of the days of the address, and on to today: a model is younger than the visits that it knows."""
    report = named("model")
    where = [text for text in view.where if text.partition("=")[0].rstrip("!") in report.dimensions]
    question = reports.question(
        report, *view.days(report, goes_on=True), _Figure._fields[:5], where, _Figure._fields[5:]
    )
    return [_Figure(*row) for row in reports.answer(replace(question, rows_alone=True)).rows]


def _pairs(figures: Iterable[_Figure]) -> Sequence[tuple[_Figure, _Figure | None]]:
    """Of each offline metric the newest model's figure, and popularity's of the same day."""
    offline = sorted(figure for figure in figures if figure.metric.startswith(_OFFLINE))
    newest = {figure.metric: figure for figure in offline if figure.model_version != POPULAR}
    popular = {(figure.metric, figure.date): figure for figure in offline if figure.model_version == POPULAR}
    return [(own, popular.get((own.metric, own.date))) for own in newest.values()]


def _online(figures: Iterable[_Figure]) -> Sequence[_Figure]:
    """The newest of each metric and model version."""
    return [
        *{
            (figure.metric, figure.model_version): figure
            for figure in sorted(figures)
            if figure.metric.startswith(_ONLINE)
        }.values()
    ]


def _versus(names: Sequence[str], pairs: Sequence[tuple[_Figure, _Figure | None]]) -> Mapping[str, Any]:
    def series(name: str, of: Sequence[_Figure | None]) -> Mapping[str, Any]:
        return {
            "name": name,
            "values": [figure and figure.value for figure in of],
            "ends": [None if figure is None or figure.low is None else [figure.low, figure.high] for figure in of],
        }

    ours, theirs = [own for own, _ in pairs], [popular for _, popular in pairs]
    return {
        "kind": "columns",
        "names": names,
        "series": [series(f"Version {ours[0].model_version}", ours), series("Popularity", theirs)],
    }


def _history(figures: Iterable[_Figure], metric: str) -> Mapping[str, Any] | None:
    """A metric at each training; None before the second."""
    rows = [figure for figure in figures if figure.metric == metric]
    days = sorted({figure.date for figure in rows})
    if len(days) < 2:
        return None
    of = {(figure.date, figure.model_version == POPULAR): figure.value for figure in rows}
    return {
        "kind": "line",
        "days": [day.isoformat() for day in days],
        "unfinished": None,
        "series": [
            {"name": name, "unit": "per one", "values": [of.get((day, is_popular)) for day in days]}
            for name, is_popular in (("Model", False), ("Popularity", True))
        ],
    }


def _name(metric: str) -> str:
    """
    >>> _name("offline_ndcg_at_20"), _name("online_ctr")
    ('NDCG at 20', 'CTR')
    """
    return label(metric.removeprefix(_OFFLINE).removeprefix(_ONLINE))


def lists(settings: Settings, reports: Reports, view: PageAddress) -> Mapping[str, Any]:
    """The published lists: how old they are now, and whom they are for."""
    manifest = lists_manifest.read(settings.lake)
    if manifest is None:
        return {"tiles": []}
    figures = (
        figure for figure in _figures(reports, view) if figure.segment == _ALL and figure.model_version != POPULAR
    )
    newest = {figure.metric: figure for figure in sorted(figures)}
    known, people = newest.get("lists_age_hours"), newest.get("lists_people_share")
    coverage = [newest[name] for name in newest if name.startswith("offline_coverage")]
    age = (datetime.now(UTC) - manifest.generated_at).total_seconds()
    return {
        "manifest": manifest,
        "tiles": [
            ("Age", duration_text(age), "Since they were published."),
            ("Model version", manifest.model_version, "What made them."),
            ("People", f"{manifest.people:,}", "Who are known to them."),
            ("With a list", share_text(people.value if people else None), "Others get what is popular."),
            ("Coverage", share_text(coverage[0].value if coverage else None), "Of all items, how many are on lists."),
            (
                "Knew up to",
                duration_text(known.value * 3_600 if known else None),
                "How old the newest event that they know was when they were published.",
            ),
        ],
    }
