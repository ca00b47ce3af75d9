"""Parameters of the candidates for the data at hand, within a time box.

Of each kind first what did well before (the champion's, whatever it takes, so that no night forgets it), then what such data usually
want (`starts` in ml/models/registry.py), then steps from the best so far, again and again while one of them helps. The next
step is of the kind that has taken the least time, so that no slow kind eats the box. What a fit takes is foreseen from the fits
before it (`effort` in the registry): no start and no step begins that cannot end in the box.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from ml.models import registry
from ml.models.pairs_shape import PairsShape
from ml.models.user_item.blend import Member
from ml.selection.trials import CandidateTrials


def improved(
    trials: CandidateTrials, recipes: Mapping[str, Member], champion: Sequence[Member], seconds: float
) -> dict[str, Member]:
    """Those of `recipes` that can be tuned, with the parameters that do best for the learners, of what `seconds` allow."""
    best = {name: one for name, one in recipes.items() if registry.of(one).space(one).ranges}
    if len(trials.learners) and seconds:
        _Search(trials, best, trials.clock() + seconds).run(champion)
    return best


@dataclass
class _Search:
    trials: CandidateTrials
    best: dict[str, Member]
    until: float
    worths: dict[str, float] = field(default_factory=dict)
    tried: set[Member] = field(default_factory=set)
    spent: dict[str, float] = field(default_factory=dict)
    """Seconds of the trials of each kind."""

    def run(self, champion: Sequence[Member]) -> None:
        self.worths = {name: self.trials.worth(self.trials.models[name]) for name in self.best}
        self.tried = set(self.best.values())
        self.spent = {name: self.trials.costs.of_trial(one) for name, one in self.best.items()}
        shape = PairsShape.of(self.trials.part.train)
        for name in sorted(self.best, key=self.spent.__getitem__):
            own = self.best[name]
            for recipe in champion:
                if type(recipe) is type(own):
                    self._try(name, recipe, float("inf"))
            for usual in registry.of(own).starts(own, shape):
                self._try(name, msgspec.structs.replace(own, **usual), self.until)
        while self._round():
            pass

    def _round(self) -> bool:
        """Every step of every kind; whether one of them helped."""
        before = dict(self.best)
        steps = {name: list(kind.steps) for name, one in before.items() if (kind := registry.of(one)).steps}
        while steps:
            name = min(steps, key=self.spent.__getitem__)
            own, step = self.best[name], steps[name].pop(0)
            self._try(name, msgspec.structs.replace(own, **step(own)), self.until)
            steps = {name: left for name, left in steps.items() if left}
        return self.best != before

    def _try(self, name: str, recipe: Member, until: float) -> None:
        """Put it in the place of the best of that name where it does better, if it can be known by then."""
        if recipe in self.tried or self.trials.clock() + self.trials.foreseen(recipe) > until:
            return
        self.tried.add(recipe)
        started = self.trials.clock()
        model = self.trials.fitted(name, recipe)
        if (worth := self.trials.worth(model)) > self.worths[name]:
            self.best[name], self.trials.models[name], self.worths[name] = recipe, model, worth
        self.spent[name] += self.trials.clock() - started
