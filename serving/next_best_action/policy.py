"""The policy: what each action is worth in a segment, which of them may win, and the share that each has.

    value(a)  = P(outcome | a, segment) · margin(a) − cost(a)
    uplift(a) = value(a) − value(none)

Thompson sampling (Thompson 1933): an action's share is the share of draws of the posterior in which its value is the highest. An
action takes part once its trials weigh as much as what was assumed before them, a discount only where its uplift is surely above 0:
anybody may have been about to buy without it.
"""

import hashlib
from collections.abc import Mapping, Sequence
from math import hypot
from statistics import NormalDist
from typing import Final, NamedTuple

import numpy as np

from nextclick.settings import Settings
from serving.bandits.methods import Floats, wins
from serving.next_best_action.actions import NONE, SiteAction, SiteActions
from serving.next_best_action.cells import PRIOR_TRIALS, ActionCell, Beta, Cells, posterior, priors

_NOTHING: Final = ActionCell()


class MoneyRange(NamedTuple):
    """An amount of money a trial, with its interval."""

    value: float
    low: float
    high: float


class ActionWorth(NamedTuple):
    """An action in a segment."""

    expected: MoneyRange
    uplift: MoneyRange
    """Over none, with the interval that decides a discount: it holds for all discounts in all segments together."""
    trials: int


class Policy:
    """What was learned as a way to choose. Equal cells give equal shares, in every process: a person keeps an action whoever answers."""

    def __init__(self, site: SiteActions, cells: Cells, settings: Settings) -> None:
        self._site, self._cells, self._draws = site, cells, settings.bandits.draws
        self._actions, self._priors = site.by_id(), priors(cells)
        level = 1 - settings.actions.confidence
        discounts = {action.id for action in site.actions if action.kind == "discount"}
        decided = sum(len(discounts & known.keys()) for known in cells.values())
        self._reach = NormalDist().inv_cdf(1 - level / 2)
        self._surely = NormalDist().inv_cdf(1 - level / (2 * max(1, decided)))
        self._drawn: dict[tuple[str, str], Floats] = {}
        self._worth: dict[tuple[str, str], ActionWorth] = {}

    def worth(self, segment: str, action: str) -> ActionWorth:
        """What the action is worth there."""
        key = segment, action
        if key not in self._worth:
            self._worth[key] = self._judge(segment, action)
        return self._worth[key]

    def held_back(self, segment: str, action: str) -> str | None:
        """Why the action is only tried there; None: it may win."""
        own, worth = self._actions.get(action), self.worth(segment, action)
        if own and worth.trials < PRIOR_TRIALS:
            return f"{worth.trials} trials of {PRIOR_TRIALS:.0f}"
        if own and own.kind == "discount" and not worth.uplift.low > 0:
            return "not surely worth more than none"
        return None

    def best(self, segment: str, allowed: Sequence[str]) -> dict[str, float]:
        """The share of each allowed action; `none`, which is always allowed, is among them."""
        rivals = [action for action in allowed if not self.held_back(segment, action)]
        shares = wins(np.array([self._values(segment, action) for action in rivals]))
        return dict.fromkeys(allowed, 0.0) | dict(zip(rivals, shares.tolist(), strict=True))

    def _judge(self, segment: str, action: str) -> ActionWorth:
        (margin, cost), (basis, _) = self._money(action), self._money(NONE)
        own, none = self._posterior(segment, action), self._posterior(segment, NONE)
        value, reach = margin * own.mean - cost, self._reach * own.deviation
        ends = (margin * rate - cost for rate in (max(0.0, own.mean - reach), min(1.0, own.mean + reach)))
        error = 0.0 if action == NONE else self._surely * hypot(margin * own.deviation, basis * none.deviation)
        uplift = value - basis * none.mean
        return ActionWorth(
            MoneyRange(value, *sorted(ends)),
            MoneyRange(uplift, uplift - error, uplift + error),
            self._cell(segment, action).trials,
        )

    def _values(self, segment: str, action: str) -> Floats:
        """Draws of the action's value: made once, from a stream of their own."""
        key = segment, action
        if key not in self._drawn:
            margin, cost = self._money(action)
            seed = hashlib.blake2b(f"{segment}\0{action}".encode(), digest_size=8).digest()
            stream = np.random.default_rng(int.from_bytes(seed))
            self._drawn[key] = stream.beta(*self._posterior(segment, action), self._draws) * margin - cost
        return self._drawn[key]

    def _posterior(self, segment: str, action: str) -> Beta:
        return posterior(self._cell(segment, action), self._priors.get(segment, self._priors[""]))

    def _cell(self, segment: str, action: str) -> ActionCell:
        return self._cells.get(segment, {}).get(action, _NOTHING)

    def _money(self, action: str) -> tuple[float, float]:
        own: SiteAction | None = self._actions.get(action)
        return (self._site.margin_of(own), own.cost) if own else (self._site.margin, 0.0)


def mixed(best: Mapping[str, float], holdout: float, explore: float) -> dict[str, float]:
    """The shares that are drawn from: `holdout` of none, `explore` of any action alike, and the rest as `best` says."""
    rest = 1 - holdout - explore
    shares = {action: explore / len(best) + rest * share for action, share in best.items()}
    return shares | {NONE: shares[NONE] + holdout}
