"""How good ranked lists are, against what people used afterwards.

`items` is [people × k], best first, −1 where a list has ended; `truth` is people × items,
non-zero where the person used the item. Every person has at least one true item, and
each metric is the mean over people. Lists are judged as they stand: which of equally good
items comes first is settled when a list is made (`ml/models/topk/sparse_topk.py`), never here.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from ml.data.interactions import Floats, Rows

Hits = NDArray[np.bool_]


def hits(items: Rows, truth: csr_matrix) -> Hits:
    """[people × k]: the item at this place is true."""
    width = truth.shape[1]
    person = np.repeat(np.arange(truth.shape[0], dtype=np.int64), np.diff(truth.indptr))
    places = np.arange(len(items), dtype=np.int64)[:, None] * width + items
    return np.isin(places, person * width + truth.indices) & (items >= 0)


def recall(hit: Hits, relevant: NDArray[np.int64]) -> float:
    """recall@k = |list ∩ truth| / |truth|, as the published tables of NGCF and LightGCN count it."""
    return float(np.mean(hit.sum(axis=1) / relevant))


def recalls(items: Rows, truth: csr_matrix) -> Floats:
    """recall@k of each person; their mean is `recall`."""
    return np.asarray(hits(items, truth).sum(axis=1) / np.diff(truth.indptr), np.float32)


def ndcg(hit: Hits, relevant: NDArray[np.int64]) -> float:
    """NDCG@k = DCG / DCG of the best list, gain 1, discount 1 / log2(rank + 1); Järvelin and Kekäläinen, TOIS 2002."""
    discount = 1 / np.log2(np.arange(2, hit.shape[1] + 2))
    best = np.cumsum(discount)[np.minimum(relevant, hit.shape[1]) - 1]
    return float(np.mean(hit @ discount / best))


def average_precision(hit: Hits, relevant: NDArray[np.int64]) -> float:
    """MAP@k: precision at the rank of each hit, summed, / min(|truth|, k); Manning et al., 2008, chapter 8.4."""
    precision = np.cumsum(hit, axis=1) / np.arange(1, hit.shape[1] + 1)
    return float(np.mean((precision * hit).sum(axis=1) / np.minimum(relevant, hit.shape[1])))


def hit_rate(hit: Hits) -> float:
    """HR@k: share of people with a hit."""
    return float(np.mean(hit.any(axis=1)))


def reciprocal_rank(hit: Hits) -> float:
    """MRR@k: 1 / rank of the first hit, 0 without one; Voorhees, TREC-8, 1999."""
    return float(np.mean(hit.any(axis=1) / (hit.argmax(axis=1) + 1)))


def coverage(items: Rows, catalogue: int) -> float:
    """Share of the catalogue that occurs in any list."""
    return len(np.unique(items[items >= 0])) / catalogue if catalogue else 0.0


def gini(items: Rows, users: NDArray[np.int64]) -> float:
    """How unequally the places of the lists fall on the items that anybody used: 0 evenly, towards 1 all on one item.

    Gini, 1912, as in Fleder and Hosanagar, Management Science 55 (2009).
    """
    listed = np.sort(np.bincount(items[items >= 0], minlength=len(users))[users > 0])
    n, places = len(listed), listed.sum()
    return float((2 * np.arange(1, n + 1) - n - 1) @ listed / (n * places)) if places else 0.0


def novelty(items: Rows, users: NDArray[np.int64], people: int) -> float:
    """Mean of −log2(share of people who used the item), in bits; Zhou et al., PNAS 107 (2010): self-information."""
    listed = items[items >= 0]
    return float(np.mean(-np.log2(np.maximum(users[listed], 1) / people))) if len(listed) else 0.0


def all_at(items: Rows, truth: csr_matrix, users: NDArray[np.int64], people: int) -> dict[str, float]:
    """Every metric of these lists by name, such as `recall@20`; `users[i]`: how many of `people` used item i before."""
    k, hit, relevant = items.shape[1], hits(items, truth), np.diff(truth.indptr).astype(np.int64)
    return {
        f"recall@{k}": recall(hit, relevant),
        f"ndcg@{k}": ndcg(hit, relevant),
        f"map@{k}": average_precision(hit, relevant),
        f"hr@{k}": hit_rate(hit),
        f"mrr@{k}": reciprocal_rank(hit),
        f"coverage@{k}": coverage(items, int(np.count_nonzero(users))),
        f"gini@{k}": gini(items, users),
        f"novelty@{k}": novelty(items, users, people),
    }
