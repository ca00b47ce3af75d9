"""A/B tests: what each variant did, and its difference from the control as it was at the end of each day."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from analytics.answers import Reports
from dashboard.address import PageAddress
from nextclick.contracts.silver import EVENTS
from nextclick.errors import ExperimentError
from nextclick.lake import delta
from nextclick.settings import Settings
from serving.experiments import assignment
from serving.experiments.assignment import Experiment

if TYPE_CHECKING:
    from serving.experiments.report import ExperimentReport

_MOST: Final = 10


def experiments(settings: Settings, reports: Reports, view: PageAddress) -> Mapping[str, Any]:
    """Those that ran in the days of the address, the newest first."""
    now = datetime.now(UTC)
    try:
        there = assignment.load(settings.conf_dir / "experiments")
    except ExperimentError as error:
        return {"wrong": str(error), "experiments": []}
    ran = sorted(
        (one for one in there if one.start.date() <= view.last and one.stop.date() >= view.first and one.start <= now),
        key=lambda one: one.start,
        reverse=True,
    )[:_MOST]
    return {
        "others": len(there) - len(ran),
        "experiments": [(one, one.state(now), _shown(_report(settings, reports, one))) for one in ran],
    }


def _report(settings: Settings, reports: Reports, experiment: Experiment) -> "ExperimentReport | None":
    """None while there are no events."""
    from serving.experiments import report  # scipy.stats takes a second: a server that starts should not wait for it

    if not delta.exists(settings.lake, EVENTS.name):
        return None
    return reports.kept(repr(experiment), report.READS, lambda: report.report(settings, experiment))


def _shown(result: "ExperimentReport | None") -> Mapping[str, Any] | None:
    """A report with its charts; None where nobody was exposed."""
    if result is None or not any(variant.exposed for variant in result.variants):
        return None
    names = [comparison.variant for comparison in result.comparisons]
    return {"report": result, "charts": [(name, _sequence(result, name)) for name in names]}


def _sequence(result: "ExperimentReport", variant: str) -> Mapping[str, Any]:
    """The difference from the control at each look, within what holds it at all looks at once."""
    looks = [(look.date, look.differences[variant]) for look in result.looks if variant in look.differences]
    return {
        "kind": "sequence",
        "days": [day.isoformat() for day, _ in looks],
        "name": f"{variant} less {result.comparisons[0].control}",
        "values": [there.value for _, there in looks],
        "ends": [[there.low, there.high] for _, there in looks],
    }
