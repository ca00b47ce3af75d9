"""What next best actions are worth, and whether their policy is served."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from analytics.answers import Reports
from dashboard.address import PageAddress
from nextclick.settings import Settings
from serving.next_best_action import actions as site_actions
from serving.next_best_action import state
from serving.next_best_action.cells import ActionCell
from serving.next_best_action.judge import PolicyWorth
from serving.next_best_action.live import LearnedPolicy
from serving.next_best_action.policy import MoneyRange
from serving.off_policy.estimators import Estimate

_MOST: Final = 12


def actions(settings: Settings, reports: Reports, view: PageAddress) -> Mapping[str, Any]:
    """By segment its actions, those segments first that have most trials; amounts of money are a trial's."""
    site, latest = site_actions.load(settings.conf_dir), state.read(settings.lake)
    learned = LearnedPolicy.of(settings, site, latest)
    cells = latest.cells if latest and site.actions else {}
    segments = sorted(cells, key=lambda segment: (-_trials(cells[segment]), segment))
    worth = learned.verdict.worth
    return {
        "set_up": bool(site.actions),
        "serves": learned.verdict.serves,
        "reason": learned.verdict.reason,
        "policies": list(_policies(worth)) if worth else [],
        "segments": {
            segment: [_row(learned, segment, action, cell) for action, cell in cells[segment].items()]
            for segment in segments[:_MOST]
        },
        "left_out": max(len(segments) - _MOST, 0),
        "version": latest.version if latest else None,
    }


def _trials(known: Mapping[str, ActionCell]) -> int:
    return sum(cell.trials for cell in known.values())


def _row(learned: LearnedPolicy, segment: str, action: str, cell: ActionCell) -> Mapping[str, Any]:
    worth = learned.policy.worth(segment, action)
    return {
        "action": action,
        "trials": cell.trials,
        "outcomes": cell.outcomes,
        "worth": f"{worth.expected.value:.2f}",
        "uplift": _within(worth.uplift),
        "held_back": learned.policy.held_back(segment, action),
    }


def _policies(worth: PolicyWorth) -> Iterator[Mapping[str, str]]:
    yield {"policy": "learned", "worth": _within(worth.policy), "gain": ""}
    for name, one in {"none": worth.none, **{f"{each} for all": one for each, one in worth.discounts.items()}}.items():
        yield {"policy": name, "worth": _within(one.value), "gain": _within(one.gain)}


def _within(amount: MoneyRange | Estimate) -> str:
    return f"{amount.value:.2f} ({amount.low:.2f} to {amount.high:.2f})"
