"""The n best entries of each row of a dense matrix of scores."""

from collections.abc import Callable

import numpy as np
from scipy.sparse import csr_matrix

from ml.data.interactions import Floats, Rows
from ml.models.protocol import Lists

ENTRIES = 1 << 24
"""Scores that are held at a time, of 4 bytes each: rows are made in batches of ENTRIES / columns."""
_GROUP = 16


def batch_rows(columns: int) -> int:
    """Rows of a batch whose scores fill ENTRIES."""
    return max(ENTRIES // max(columns, 1), 1)


def dense_lists(
    scores: Callable[[Rows], Floats], columns: int, people: Rows, n: int, seen: csr_matrix | None = None
) -> Lists:
    """The n best of `scores` (some people → people × columns) for each of `people`, less what its row of `seen` holds."""
    lists = Lists(np.full((len(people), n), -1, np.int32), np.zeros((len(people), n), np.float32))
    step = batch_rows(columns)
    for start in range(0, len(people), step):
        part = slice(start, start + step)
        best = best_dense(scores(people[part]), n, None if seen is None else seen[part])
        lists.items[part], lists.scores[part] = best
    return lists


def best_dense(scores: Floats, n: int, seen: csr_matrix | None = None) -> Lists:
    """The columns of the n highest positive scores of each row; of equal ones the lower column comes first.

    `scores` is overwritten where `seen` holds an entry.
    """
    if seen is not None:
        scores[np.repeat(np.arange(len(scores)), np.diff(seen.indptr)), seen.indices] = 0
    lowest = np.maximum(_bound(scores, n), np.finfo(np.float32).tiny)
    row, item = np.nonzero(scores >= lowest[:, None])
    score = scores[row, item]
    order = np.lexsort((item, -score, row))
    place = np.arange(len(order)) - np.searchsorted(row, row)
    first = order[place < n]
    row, place = row[first], place[place < n]
    lists = Lists(np.full((len(scores), n), -1, np.int32), np.zeros((len(scores), n), np.float32))
    lists.items[row, place], lists.scores[row, place] = item[first], score[first]
    return lists


def _bound(scores: Floats, n: int) -> Floats:
    """A score of each row that at least n entries reach: the n-th best of the groups' bests, 0 for few groups.

    The groups' bests are a sixteenth of the scores, and a maximum is cheap where a partition is not.
    """
    groups = scores.shape[1] // _GROUP
    if groups < n:
        return np.zeros(len(scores), np.float32)
    best = scores[:, : groups * _GROUP].reshape(len(scores), _GROUP, groups).max(axis=1)
    return np.asarray(np.partition(best, groups - n, axis=1)[:, groups - n])
