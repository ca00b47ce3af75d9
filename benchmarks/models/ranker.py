"""The learned ranker on made-up answers: NDCG@10 beside a sum of the features, and processor time of an answer.

make bench ARGS="ranker --candidates 200"
"""

import argparse
import time
from collections.abc import Callable

import numpy as np

from ml.data.clicks import Clicks
from ml.models.ctr import lambdamart
from nextclick.ctr import FEATURES
from nextclick.next_item import ranker
from nextclick.next_item.ranker import LearnedRanker, RankerCard
from serving.index.lambdamart import Ranker

_ANSWERS = 5_000
_TIMES = 2_000


def answers(number: int, seed: int) -> Clicks:
    """Made-up answers of ten items, of which those are clicked where two features agree."""
    draw = np.random.default_rng(seed)
    features = draw.random((number * 10, len(FEATURES)))
    likely = (features[:, 0] > 0.5) == (features[:, 1] > 0.5)
    clicked = (draw.random(len(likely)) < np.where(likely, 0.3, 0.05)).astype(np.float64)
    place = np.tile(np.arange(1.0, 11.0), number)
    return Clicks(np.repeat(np.arange(number), 10), place, features, clicked, clicked, np.ones(len(likely)))


def milliseconds(act: Callable[[], object]) -> list[float]:
    """Processor time of each of _TIMES calls."""
    took = []
    for _ in range(_TIMES):
        started = time.process_time()
        act()
        took.append(1000 * (time.process_time() - started))
    return took


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--candidates", type=int, default=200)
    candidates = options.parse_args().candidates
    learned, judged = answers(_ANSWERS, 1), answers(_ANSWERS, 2)
    started = time.process_time()
    booster = lambdamart.fit(learned)
    trees = booster.model_to_string()
    print(f"learned from {10 * _ANSWERS:,} items in {time.process_time() - started:.1f} s; {len(trees) / 1000:.0f} kB")
    scores = {"trees": lambdamart.scores(booster, judged), "sum": judged.features.sum(axis=1)}
    print(
        *(f"NDCG@10 {lambdamart.ndcg(each, judged, 10).mean():.4f} of the {name}" for name, each in scores.items()),
        sep="; ",
    )
    card = RankerCard(version="1", trees=lambdamart.MOST_TREES, sha256=ranker.sha256(trees))
    served, draw = Ranker(LearnedRanker(card, trees)), np.random.default_rng(2)
    features = {name: draw.random(candidates) for name in FEATURES}
    middle, late = np.quantile(milliseconds(lambda: served.scores(features)), (0.5, 0.99))
    print(f"{candidates} candidates: p50 {middle:.2f} ms, p99 {late:.2f} ms of processor time")


if __name__ == "__main__":
    main()
