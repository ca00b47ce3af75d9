"""Funnels and paths, which one asks for in words of one's own."""

from collections.abc import Mapping
from typing import Any, Final

from analytics import funnel as funnels
from analytics import paths as visit_paths
from analytics.answers import Reports
from analytics.journeys.days import Days
from analytics.journeys.units import READS, Unit
from dashboard import charts
from dashboard.address import PageAddress
from nextclick.errors import LakeError, UsageError
from nextclick.settings import Settings

_STEPS: Final = ("view_item", "add_to_cart", "purchase")
_WITHIN: Final = "7d"
_STEPS_OF_A_PATH, _PLACES = 3, 8


def funnel(settings: Settings, reports: Reports, view: PageAddress) -> Mapping[str, Any]:
    """The funnel of the form; what is wrong with its words stands beside it."""
    steps = view.words_of("step") or [*_STEPS]
    within, unit = view.word("within") or _WITHIN, view.word("unit") or Unit.VISITOR.value
    facts = {"steps": steps, "within": within, "unit": unit, "units": [*Unit], "most": funnels.MOST_STEPS}
    try:
        wanted = funnels.question(
            settings, steps, within, unit=_unit(unit), strict=bool(view.word("strict")), days=_days(view)
        )
        there = reports.kept(wanted, READS, lambda: funnels.answer(settings, wanted))
        return facts | {"funnel": there}
    except (UsageError, LakeError) as error:
        return facts | {"wrong": str(error)}


def _unit(text: str) -> Unit:
    try:
        return Unit(text)
    except ValueError:
        raise UsageError(f"A funnel counts {', '.join(Unit)}, no {text!r}.") from None


def paths(settings: Settings, reports: Reports, view: PageAddress) -> Mapping[str, Any]:
    """Paths of the form."""
    anchor, before, kinds = view.word("anchor"), view.word("direction") == "before", view.word("of") == "events"
    facts = {"anchor": anchor, "before": before, "kinds": kinds}
    try:
        wanted = visit_paths.PathsQuestion(
            anchor=anchor or None,
            direction="before" if before else "after",
            of="events" if kinds else "pages",
            steps=_STEPS_OF_A_PATH,
            top=_PLACES,
            days=_days(view),
        )
        there = reports.kept(wanted, READS, lambda: visit_paths.answer(settings, wanted))
        return facts | {"paths": there, "chart": charts.flows(there)}
    except (UsageError, LakeError) as error:
        return facts | {"wrong": str(error)}


def _days(view: PageAddress) -> Days:
    """The days of the address, and its site, where a filter names one alone."""
    sites = [text.removeprefix("site=") for text in view.where if text.startswith("site=") and "," not in text]
    return Days(view.first, view.last, sites[0] if sites else None)
