"""The next item in sessions and in people's sequences, beside the best published figures, on splits that others made.

    nextclick bench sequence ../shared/data/sessions-retailrocket [--json]
    nextclick bench sequence ../shared/data/sequences-beauty

What is served is chosen on the train part alone: of sessions by the last of them, of sequences by the last item but one
(ml/selection/session_choice.py). All items are ranked. Sessions are learned from whole; of sequences the last two items
never are, as in the published tables, though a nightly training would learn from the last but one as well: `refitted`.
docs/next-item.md has the results.
"""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from benchmarks.models.splits import sequence_files
from benchmarks.models.splits.sequence_files import SEQUENCES, SequenceSplit
from ml.data.sessions import Questions, Sessions
from ml.evaluation import prequential
from ml.lists.session_packing import packed
from ml.models.protocol import NextItem, SessionRecipe
from ml.models.session.vmis_knn import VmisKnn
from ml.selection import session_choice
from ml.selection.session_choice import NextChoice, Repeats
from nextclick.errors import UsageError

LONGEST = 20
VALIDATION_SHARE = 0.1
"""Of the sessions, the last."""
BASELINES: dict[str, SessionRecipe] = {"vmis_knn_published": VmisKnn()}
PUBLISHED: dict[str, dict[str, dict[str, float]]] = {
    "sessions-retailrocket": {
        "SR-GNN": {"hr@20": 0.503, "mrr@20": 0.266},
        "COTREC": {"hr@20": 0.562, "mrr@20": 0.300},
    },
    "sequences-beauty": {
        "SASRec": {"recall@10": 0.0605, "ndcg@10": 0.0318},
        "HSTU": {"recall@10": 0.0704, "ndcg@10": 0.0389},
        "ActionPiece": {"recall@10": 0.0775, "ndcg@10": 0.0424},
        "SASRec, sampled softmax": {"recall@10": 0.0921, "ndcg@10": 0.0531},
        "eSASRec": {"recall@10": 0.0928, "ndcg@10": 0.0523},
    },
}
"""By the folder's name. Of sessions as the authors of COTREC print them, repeats allowed (from memory)."""

Say = Callable[[str], None]


def run(folder: Path, seconds: float, repeats: Repeats, say: Say) -> dict[str, Any]:
    """Choose on train, judge on test: what --json prints."""
    split = sequence_files.read(folder)
    say(f"{len(split.train.item):,} clicks of {len(split.train):,} {split.kind}, {len(split.train.items):,} items")
    choice = chosen(split, seconds, repeats, say)
    models = [
        _judged(name, recipe, split.train, split, choice, say)
        for name, recipe in {**BASELINES, **choice.recipes}.items()
    ]
    if split.known is not None:
        models.append(_judged(f"{choice.name}, refitted", choice.recipe, split.known, split, choice, say))
    models.append(_as_answered(split, choice, say))
    served = next(one for one in models if one["model"] == choice.name)
    return {
        "dataset": folder.name,
        "served": served | {"repeats": choice.repeats},
        "models": models,
        "published": [{"model": name} | one for name, one in PUBLISHED.get(folder.name, {}).items()],
    }


def _judged(
    name: str, recipe: SessionRecipe, train: Sessions, split: SequenceSplit, choice: NextChoice, say: Say
) -> dict[str, Any]:
    started = time.process_time()
    model = recipe.fit(train)
    learned = time.process_time()
    figures = judged(model, split.test, choice.repeats)
    cost = {"fit_seconds": learned - started, "answer_seconds": time.process_time() - learned}
    say(f"{name}: " + ", ".join(f"{metric} {value:.4f}" for metric, value in figures.items()))
    return {"model": name} | figures | cost | {"recipe": msgspec.to_builtins(recipe)}


def _as_answered(split: SequenceSplit, choice: NextChoice, say: Say) -> dict[str, Any]:
    """What is served in the form in which the API asks it, one session at a time; milliseconds of processor time an answer."""
    train, test = split.train, split.test
    model = packed(choice.name, choice.recipe.fit(train), train.items, choice.repeats)
    lists, took = np.full((len(test), LONGEST), -1, np.int32), np.zeros(len(test))
    for row, recent in enumerate(test.recent):
        started = time.process_time()
        items = model.next_items(recent[recent >= 0].tolist(), LONGEST).items
        took[row] = 1000 * (time.process_time() - started)
        lists[row, : len(items)] = items
    figures, (middle, late) = of_ranks(prequential.rank(lists, test.item)), np.quantile(took, (0.5, 0.99))
    say(f"as answers ask it: {figures}; {model.megabytes:.0f} MB, p50 {middle:.2f} ms, p99 {late:.2f} ms")
    cost = {"megabytes": model.megabytes, "p50_ms": float(middle), "p99_ms": float(late)}
    return {"model": f"{choice.name}, as answers ask it"} | figures | cost


def chosen(split: SequenceSplit, seconds: float, repeats: Repeats, say: Say) -> NextChoice:
    """By the train part alone."""
    train, questions = _validation(split)
    again: Repeats = "never" if split.kind == SEQUENCES and repeats == "auto" else repeats
    choice = session_choice.choose(train, questions, LONGEST, again, seconds)
    if choice is None:
        raise UsageError(
            f"There are {len(questions)} questions to choose by, of {session_choice.FEWEST} needed. Name a larger folder."
        )
    for name, value in choice.worths.items():
        say(f"validation: HR + MRR {value:.4f} of {name}")
    say(f"chosen: {choice.name}, the items of a session {'may' if choice.repeats else 'never'} come again")
    return choice


def _validation(split: SequenceSplit) -> tuple[Sessions, Questions]:
    if split.validation is not None:
        return split.train, split.validation
    train = split.train
    cut = int(np.quantile(train.ended_at, 1 - VALIDATION_SHARE))
    late = np.flatnonzero((train.at >= cut) & ~train.opens)
    return train.between(0, cut), train.questions(late)


def judged(model: NextItem, test: Questions, repeats: bool) -> dict[str, float]:
    """The figures of `of_ranks`."""
    return of_ranks(prequential.rank(model.next_items(test.recent, LONGEST, repeats=repeats).items, test.item))


def of_ranks(ranks: NDArray[np.int64]) -> dict[str, float]:
    """HR@20, MRR@20, recall@10 and NDCG@10; of one right answer, recall is the hit rate."""
    hit, short = ranks > 0, (ranks > 0) & (ranks <= 10)
    return {
        "hr@20": float(hit.mean()),
        "mrr@20": float(np.where(hit, 1 / np.maximum(ranks, 1), 0).mean()),
        "recall@10": float(short.mean()),
        "ndcg@10": float(np.where(short, 1 / np.log2(np.maximum(ranks, 1) + 1), 0).mean()),
    }


if __name__ == "__main__":
    # The verb `nextclick bench sequence` has the options; it imports this module.
    sys.exit(subprocess.call([Path(sys.executable).parent / "nextclick", "bench", "sequence", *sys.argv[1:]]))
