"""What bandits have learned of each arm."""

from collections.abc import Mapping
from typing import Any, Final

from analytics.answers import Reports
from dashboard.address import PageAddress
from dashboard.texts import share_text
from nextclick.definitions.intervals import wilson
from nextclick.settings import Settings
from serving.bandits import state
from serving.bandits.methods import Arm

_MOST: Final = 12


def bandits(settings: Settings, reports: Reports, view: PageAddress) -> Mapping[str, Any]:
    """By bandit its arms, those first that were shown most."""
    known = state.read(settings.lake)
    return {
        "method": settings.bandits.method,
        "version": known.version if known else None,
        "bandits": {
            name: {
                "arms": [_row(arm, counts) for arm, counts in _shown_most(arms)[:_MOST]],
                "left_out": max(len(arms) - _MOST, 0),
                "trials": state.shown(arms),
            }
            for name, arms in (known.bandits if known else {}).items()
        },
    }


def _shown_most(arms: Mapping[str, Arm]) -> list[tuple[str, Arm]]:
    return sorted(arms.items(), key=lambda each: (-each[1].trials, each[0]))


def _row(arm: str, counts: Arm) -> Mapping[str, Any]:
    low, high = wilson(counts.rewards, counts.trials) if counts.trials else (None, None)
    rate = counts.rewards / counts.trials if counts.trials else None
    return {
        "arm": arm,
        "trials": counts.trials,
        "rewards": counts.rewards,
        "rate": share_text(rate),
        "interval": "–" if low is None else f"{share_text(low)} to {share_text(high)}",
    }
