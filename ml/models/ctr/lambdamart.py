"""A ranker of boosted trees that learns from whole answers: LambdaMART, by LightGBM.

Burges, "From RankNet to LambdaRank to LambdaMART: An Overview", MSR-TR-2010-82, with the grades and weights of ml/data/clicks.py.
What a place adds to the chance of a click is learned apart from what an item is worth, as LightGBM's bias of each place.
"""

from typing import Any, Final

import lightgbm
import numpy as np
from numpy.typing import NDArray

from ml.data.clicks import Clicks, Floats
from nextclick.ctr import FEATURES

MOST_TREES: Final = 120
GAINS: Final = np.array([0.0, 1.0, 3.0, 7.0])
"""Of the grades: 2^grade − 1 (Burges et al., ICML 2005)."""
_PLACES: Final = 30
"""Places that are told apart; what is further down shares a bias."""
_PARAMETERS: Final[dict[str, Any]] = {
    "objective": "lambdarank",
    "label_gain": GAINS.tolist(),
    "lambdarank_truncation_level": 20,
    "num_leaves": 15,
    "learning_rate": 0.1,
    "min_data_in_leaf": 50,
    "lambda_l2": 1.0,
    "deterministic": True,
    "force_row_wise": True,
    "seed": 1,
    "verbosity": -1,
}


def fit(rows: Clicks, trees: int = MOST_TREES, threads: int = 1) -> lightgbm.Booster:
    """So many trees; the same with any number of threads."""
    groups = np.bincount(rows.answer - rows.answer[0])
    learned = lightgbm.Dataset(
        rows.features,
        rows.grade,
        weight=rows.weight,
        group=groups[groups > 0],
        position=np.minimum(rows.position, _PLACES).astype(np.int32),
        feature_name=list(FEATURES),
        free_raw_data=True,
    )
    return lightgbm.train(_PARAMETERS | {"num_threads": threads}, learned, num_boost_round=trees)


def best_size(booster: lightgbm.Booster, rows: Clicks, k: int = 10, step: int = 20) -> int:
    """How many of its trees rank `rows` best."""
    sizes = range(step, booster.num_trees() + 1, step)
    return max(sizes, key=lambda trees: float(ndcg(scores(booster, rows, trees), rows, k).mean()), default=1)


def scores(booster: lightgbm.Booster, rows: Clicks, trees: int | None = None) -> Floats:
    """What it ranks by."""
    return np.asarray(booster.predict(rows.features, num_iteration=trees))


def ndcg(score: Floats, rows: Clicks, k: int) -> Floats:
    """NDCG@k of each answer that has a grade above 0, its gains weighted; of equal scores the order is drawn, always the same.

    Järvelin and Kekäläinen, TOIS 20 (2002): Σ gain / log2(1 + place) of the first k, over the same of the best order.
    """
    gain, chance = GAINS[rows.grade.astype(np.int64)] * rows.weight, np.random.default_rng(1).random(len(rows))
    reached, best = (_discounted(np.lexsort((chance, -by, rows.answer)), gain, rows, k) for by in (score, gain))
    return reached[best > 0] / best[best > 0]


def _discounted(order: NDArray[np.int64], gain: Floats, rows: Clicks, k: int) -> Floats:
    """DCG@k of each answer."""
    answer = rows.answer[order] - rows.answer[0]
    place = np.arange(len(order)) - np.searchsorted(answer, answer) + 1
    reached: Any = np.bincount(answer, np.where(place <= k, gain[order] / np.log2(1 + place), 0))
    return np.asarray(reached, np.float64)
