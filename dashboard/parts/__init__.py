"""Pieces of pages that one question of a report does not make: what their templates are handed."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from analytics.answers import Reports
from analytics.catalog import REPORTS
from dashboard.address import PageAddress
from dashboard.live import live_window
from dashboard.parts.actions import actions
from dashboard.parts.bandits import bandits
from dashboard.parts.experiments import experiments
from dashboard.parts.journeys import funnel, paths
from dashboard.parts.model import lists, model
from dashboard.parts.quality import account, lag, rejects, unusual
from nextclick.definitions.words import WORDS
from nextclick.settings import Settings

PartFacts = Callable[[Settings, Reports, PageAddress], Mapping[str, Any]]


def _definitions(settings: Settings, reports: Reports, view: PageAddress) -> Mapping[str, Any]:
    return {"definitions": WORDS, "reports": REPORTS}


def _live(settings: Settings, reports: Reports, view: PageAddress) -> Mapping[str, Any]:
    return {"live": live_window(settings.lake.landing).look()}


PARTS: Final[Mapping[str, PartFacts]] = {
    "account": account,
    "actions": actions,
    "bandits": bandits,
    "definitions": _definitions,
    "experiments": experiments,
    "funnel": funnel,
    "lag": lag,
    "lists": lists,
    "live": _live,
    "model": model,
    "paths": paths,
    "rejects": rejects,
    "unusual": unusual,
}
"""By name; the template is templates/parts/NAME.html."""
