"""Ranking by bounds finds what ranking of everything finds."""

from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from scipy.sparse import random as random_matrix

from ml.models.topk import mips
from ml.models.topk.mips import MipsIndex
from ml.models.user_item.als import _top_k


def everything(queries: Any, items: Any, n: int, seen: csr_matrix) -> list[list[int]]:
    scores = np.where(seen.toarray() > 0, -np.inf, queries @ items.T)
    scores[:, ~items.any(axis=1)] = -np.inf
    best = np.argsort(-scores, axis=1, kind="stable")[:, :n]
    return [[int(item) for item in row if scores[query, item] > -np.inf] for query, row in enumerate(best)]


@pytest.mark.parametrize("spread", [0.0, 1.0, 4.0], ids=lambda spread: f"lengths over e^±{spread}")
@pytest.mark.parametrize("n", [1, 10, 70])
def test_it_finds_the_best_of_all_items(spread: float, n: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mips, "_FIRST", 8)
    rng = np.random.default_rng(1)
    items = rng.normal(size=(300, 5)) * np.exp(rng.normal(size=(300, 1)) * spread)
    items[rng.choice(300, 20, replace=False)] = 0
    short, queries = items.astype(np.float32), rng.normal(size=(50, 5)).astype(np.float32)
    seen = random_matrix(50, 300, 0.2, format="csr", random_state=1)
    found = MipsIndex(short, _top_k).best(queries, n, seen)
    assert [[item for item in row if item >= 0] for row in found.items.tolist()] == everything(queries, short, n, seen)


def test_it_stops_where_no_longer_item_can_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mips, "_FIRST", 4)
    looked_at: list[int] = []

    def watched(items: Any, *rest: Any) -> Any:
        looked_at.append(len(items))
        return _top_k(items, *rest)

    falling = np.array([[2.0**-n] for n in range(64)], np.float32)
    MipsIndex(falling, watched).best(np.ones((3, 1), np.float32), 2)
    assert looked_at == [4]


def test_it_goes_on_where_the_long_items_have_been_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mips, "_FIRST", 4)
    falling = np.array([[2.0**-n] for n in range(64)], np.float32)
    seen = csr_matrix(np.array([[1.0] * 30 + [0.0] * 34]))
    assert MipsIndex(falling, _top_k).best(np.ones((1, 1), np.float32), 2, seen).items.tolist() == [[30, 31]]


def test_a_query_of_length_zero_finds_nothing() -> None:
    assert MipsIndex(np.ones((3, 2), np.float32), _top_k).best(np.zeros((1, 2), np.float32), 2).items.tolist() == [
        [-1, -1]
    ]
