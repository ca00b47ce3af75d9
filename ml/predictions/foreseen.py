"""One prediction from its parts: learned, judged, and learned of everything if it passed; else counted."""

from collections.abc import Sequence
from typing import NamedTuple

from ml.predictions import judge, learn
from ml.predictions.learn import Rows, Task
from nextclick.profile.predictions import Predictor
from nextclick.settings import Settings


class Foreseen(NamedTuple):
    """A prediction as it is served, and why."""

    model: Predictor
    reasons: list[str]
    """Why counted rates are served instead of what was learned; none: it passed."""
    metrics: dict[str, float]
    """Of what was learned, on the judged part, and the log losses that it had to beat."""
    reliability: list[tuple[float, float, int]]


def foreseen(settings: Settings, task: Task, learned: Rows, judged: Rows, apart: Sequence[str] = ()) -> Foreseen:
    """`apart` are reasons that are known already: how the parts stand in time."""
    chosen = settings.predictions
    model, _ = learn.learned(task, learned, chosen.penalty)
    alone = learn.counted(task, learned)
    flat = learn.flat(alone, learned)
    floors = {"the rate of all": flat, f"the rates by {task.alone} alone": alone}
    reasons = [*apart, *judge.refusals(model, floors, judged, chosen.max_ece)]
    probability = model.probability(model.odds(judged.terms))
    metrics = judge.figures(probability, judged.label)
    metrics["psi"] = judge.psi(model.odds(learned.terms), model.odds(judged.terms))
    metrics |= {
        f"log_loss.{key}": float(learn.losses(one, judged).mean()) for key, one in (("base", flat), ("alone", alone))
    }
    everything = learn.together([learned, judged])
    served = learn.counted(task, everything) if reasons else learn.learned(task, everything, chosen.penalty)[0]
    return Foreseen(served, reasons, metrics, judge.curve(probability, judged.label))


def lacking(settings: Settings, what: str, *parts: Rows) -> str | None:
    """Why nothing can be learned yet."""
    least = settings.predictions.min_happened
    fewest = min(parts, key=lambda part: part.rarer)
    if fewest.rarer >= least:
        return None
    return (
        f"It happened in {int(fewest.label.sum()):,} of {len(fewest):,} {what}; predictions.min_happened = {least:,} where it did, and "
        "where it did not, are needed."
    )
