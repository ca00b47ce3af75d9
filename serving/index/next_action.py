"""What a visitor does next: counted transitions, smoothed from two acts to one to none."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

ACTIONS: Final = {
    "page_view": "view",
    "view_item": "view",
    "click": "view",
    "play": "view",
    "search": "search",
    "add_to_cart": "add_to_cart",
    "purchase": "buy",
}
"""What a kind of event is as an act; kinds that are not here are none."""
LEAVE: Final = "leave"
OUTCOMES: Final = ("view", "search", "add_to_cart", "buy", LEAVE)


class ActionTransitions:
    """Counts of (act before, act, what came after); "" before the first act of a session."""

    def __init__(self, counts: Iterable[tuple[str, str, str, int]]) -> None:
        self._two: Counter[tuple[str, str, str]] = Counter()
        self._one: Counter[tuple[str, str]] = Counter()
        self._none: Counter[str] = Counter()
        for before, act, after, times in counts:
            self._two[before, act, after] += times
            self._one[act, after] += times
            self._none[after] += times

    def after(self, acts: Sequence[str], prior: float) -> dict[str, float]:
        """Probability of each outcome after the acts of this session, the newest last; they sum to 1.

        p(b | a₁a₂) = (n(a₁a₂b) + κ·p(b | a₂)) / (n(a₁a₂) + κ), p(b | a₂) likewise from p(b), and p(b) from equal
        parts: Dirichlet smoothing (MacKay & Peto 1995), κ = `prior`.
        """
        equal = dict.fromkeys(OUTCOMES, 1 / len(OUTCOMES))
        estimate = _smoothed({after: self._none[after] for after in OUTCOMES}, equal, prior)
        if not acts:
            return estimate
        last, before = acts[-1], acts[-2] if len(acts) > 1 else ""
        estimate = _smoothed({after: self._one[last, after] for after in OUTCOMES}, estimate, prior)
        return _smoothed({after: self._two[before, last, after] for after in OUTCOMES}, estimate, prior)


def _smoothed(counts: dict[str, int], prior: dict[str, float], weight: float) -> dict[str, float]:
    total = sum(counts.values()) + weight
    return {after: (times + weight * prior[after]) / total for after, times in counts.items()}
