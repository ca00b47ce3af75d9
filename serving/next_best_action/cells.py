"""What is known of an action in a segment: sums over its trials, each weighted by 1 / its propensity, and the posterior that follows.

Weighting makes trials of different days and policies comparable (Horvitz and Thompson 1952, as a ratio: Hájek 1971): an action that
was offered more in a good week is not taken for a good action.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

import msgspec

from serving.next_best_action.outcomes import DecisionTrial

PRIOR_TRIALS: Final = 20.0
"""Trials at the segment's own rate that each action starts with, and at the rate of all that each segment starts with."""
_UNKNOWN: Final = (1.0, 100.0)
"""Outcomes and trials that all start with: before anything is known, one in a hundred."""


class ActionCell(msgspec.Struct, frozen=True, kw_only=True):
    """One action in one segment."""

    trials: int = 0
    outcomes: int = 0
    weight: float = 0.0
    """Σ w, with w = 1 / propensity."""
    squares: float = 0.0
    """Σ w²."""
    happened: float = 0.0
    """Σ w of the trials with an outcome."""

    @property
    def effective(self) -> float:
        """(Σ w)² / Σ w²: as many trials of one propensity would say about as much (Kish 1965)."""
        return self.weight**2 / self.squares if self.squares else 0.0

    @property
    def rate(self) -> float:
        return self.happened / self.weight if self.weight else 0.0


Cells = Mapping[str, Mapping[str, ActionCell]]
"""By segment and action."""


class Beta(NamedTuple):
    """What the rate of an outcome may be, as a Beta distribution."""

    happened: float
    failed: float

    @property
    def mean(self) -> float:
        return self.happened / (self.happened + self.failed)

    @property
    def deviation(self) -> float:
        """Standard deviation."""
        return math.sqrt(self.mean * (1 - self.mean) / (self.happened + self.failed + 1))


def fold(trials: Iterable[DecisionTrial]) -> dict[str, dict[str, ActionCell]]:
    """What is known of each segment's actions, whatever the order of the trials: sums are rounded once."""
    places: dict[tuple[str, str], list[tuple[float, bool]]] = {}
    for _, decision, outcome in trials:
        places.setdefault((decision.segment, decision.action), []).append((1 / decision.propensity, outcome))
    cells: dict[str, dict[str, ActionCell]] = {}
    for segment, action in sorted(places):
        cells.setdefault(segment, {})[action] = _cell(places[segment, action])
    return cells


def _cell(weighted: list[tuple[float, bool]]) -> ActionCell:
    return ActionCell(
        trials=len(weighted),
        outcomes=sum(outcome for _, outcome in weighted),
        weight=math.fsum(weight for weight, _ in weighted),
        squares=math.fsum(weight * weight for weight, _ in weighted),
        happened=math.fsum(weight for weight, outcome in weighted if outcome),
    )


def priors(cells: Cells) -> dict[str, float]:
    """By segment the rate that its actions start with; "" for a segment of which nothing is known."""
    of_all = _rate((cell for known in cells.values() for cell in known.values()), *_UNKNOWN)
    own = {segment: _rate(known.values(), PRIOR_TRIALS * of_all, PRIOR_TRIALS) for segment, known in cells.items()}
    return own | {"": of_all}


def posterior(cell: ActionCell, prior: float) -> Beta:
    """The rate, after the trials of the cell: Beta(κ·prior + n·r, κ·(1 − prior) + n·(1 − r)), n effective trials of rate r."""
    count, rate = cell.effective, cell.rate
    return Beta(PRIOR_TRIALS * prior + count * rate, PRIOR_TRIALS * (1 - prior) + count * (1 - rate))


def _rate(cells: Iterable[ActionCell], outcomes: float, trials: float) -> float:
    known = list(cells)
    return (outcomes + sum(cell.outcomes for cell in known)) / (trials + sum(cell.trials for cell in known))
