"""Whether other validation parts choose the same: what one part alone prefers by a little is not trusted."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from ml.data import split
from ml.data.split import Split
from ml.registry.artifact import AnyRecipe
from ml.selection import model_candidates
from ml.selection.trials import CandidateTrials


class Confirmed(NamedTuple):
    """What is served after a look at other parts."""

    name: str
    doubt: str
    """Why it is not the best of the first part; empty where no other part speaks against that."""
    recalls: dict[str, tuple[float, ...]]
    """recall@k of every candidate on the first part, and on the others where it was fitted for them."""


def confirmed(contest: CandidateTrials, recipes: Mapping[str, AnyRecipe], others: Iterable[Split]) -> Confirmed:
    """The best of `contest`, where other parts agree; else the safest, and why.

    Those that the best does not surely beat are fitted again, for each of `others`. What another surely beats on any part,
    such as a blend that one of its members surely beats, is out; of the rest the best of all parts is served, or else the one
    that is nowhere far behind.
    """
    best = contest.best(recipes)
    recalls: dict[str, tuple[float, ...]] = {
        name: (contest.judged.recall(name),) for name in contest.judged.each if name in recipes
    }
    level = {name: recipes[name] for name in recalls if not contest.surely(best, name)}
    if best == model_candidates.EVERYBODY or len(level) < 2:
        return Confirmed(best, "", recalls)
    parts = [contest, *_judged(contest, level, others)]
    recalls |= {name: tuple(part.judged.recall(name) for part in parts) for name in level}
    beaten = {name for name in level for other in level if any(part.surely(other, name) for part in parts)}
    left = [name for name in level if name not in beaten] or [*level]
    agreed = all(max(left, key=part.judged.worth) == best for part in parts)
    name = best if agreed else safest({name: [part.judged.worth(name) for part in parts] for name in left})
    if name == best:
        return Confirmed(best, "", recalls)
    words = ", ".join(f"{recall:.4f}" for recall in recalls[name])
    doubt = f"{best} is best on the validation part, and other parts disagree: {name} is nowhere far behind ({words})."
    return Confirmed(name, doubt, recalls)


def _judged(
    contest: CandidateTrials, level: Mapping[str, AnyRecipe], others: Iterable[Split]
) -> Iterator[CandidateTrials]:
    """The parts with enough people to judge by."""
    for part in others:
        trials = CandidateTrials(contest.settings, part, contest.progress)
        trials.ask(level)
        if trials.judged.each:
            yield trials


def earlier(contest: CandidateTrials) -> Iterator[Split]:
    """The parts before that of `contest`, evaluation.cuts with it; without times, others that are drawn."""
    part, share = contest.part, contest.settings.evaluation.test_share
    for at in range(1, contest.settings.evaluation.cuts):
        if part.train.timeless:
            yield split.held_out(contest.part.train, share, contest.settings.als.seed + at)
        else:
            part = split.before(part.train, part.cut, share)
            yield part


def safest(worths: Mapping[str, Sequence[float]]) -> str:
    """The name that is nowhere far below the best: whose greatest loss of any part, as a share of the best there, is least."""
    best = [max(*part, 1e-9) for part in zip(*worths.values(), strict=True)]
    return min(worths, key=lambda name: max(1 - one / most for one, most in zip(worths[name], best, strict=True)))
