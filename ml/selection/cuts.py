"""Whether other parts of the time choose the same: what one part alone prefers by a little is not trusted."""

from collections.abc import Mapping, Sequence

from ml.data import split
from ml.data.split import Split
from ml.registry.artifact import AnyRecipe
from ml.selection import model_candidates
from ml.selection.trials import CandidateTrials


def confirmed(contest: CandidateTrials, recipes: Mapping[str, AnyRecipe]) -> tuple[str, str]:
    """The best of the validation part, where earlier parts agree; else the safest, and why.

    Those that the best does not surely beat are fitted again, on parts that end where the validation part, and then the
    part before it, begin (evaluation.cuts in all). What another surely beats on any part, such as a blend that one of its
    members surely beats, is out; of the others the best of all parts is served, or else the one that is nowhere far behind.
    """
    best = contest.best(recipes)
    level = (
        {name: one for name, one in recipes.items() if not contest.surely(best, name)} if contest.judged.each else {}
    )
    if best == model_candidates.EVERYBODY or len(level) < 2:
        return best, ""
    parts = [contest]
    for _ in range(contest.settings.evaluation.cuts - 1):
        earlier = CandidateTrials(contest.settings, _earlier(parts[-1]), contest.progress)
        earlier.ask(level)
        if not earlier.judged.each:
            break
        parts.append(earlier)
    beaten = {name for name in level for other in level if any(part.surely(other, name) for part in parts)}
    left = [name for name in level if name not in beaten] or [*level]
    if all(max(left, key=part.judged.recall) == best for part in parts):
        return best, ""
    recalls = {name: tuple(part.judged.recall(name) for part in parts) for name in left}
    name = safest(recalls)
    return name, "" if name == best else (
        f"{best} is best on the validation part, and parts before it disagree: {name} is nowhere far behind "
        f"({', '.join(f'{recall:.4f}' for recall in recalls[name])})."
    )


def _earlier(contest: CandidateTrials) -> Split:
    """A validation part before that of `contest`; without times another one that is drawn."""
    part, share = contest.part, contest.settings.evaluation.test_share
    if part.train.timeless:
        return split.held_out(part.train, share, contest.settings.als.seed)
    return split.before(part.train, part.cut, share)


def safest(recalls: Mapping[str, Sequence[float]]) -> str:
    """The name that is nowhere far below the best: whose greatest loss of any part, as a share of the best there, is least."""
    best = [max(*part, 1e-9) for part in zip(*recalls.values(), strict=True)]
    return min(recalls, key=lambda name: max(1 - one / most for one, most in zip(recalls[name], best, strict=True)))
