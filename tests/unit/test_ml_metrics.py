"""The metrics, against numbers computed by hand."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from ml import metrics

# Two people, six items, lists of three. p0 used 1, 2, 5 afterwards, p1 used 0.
LISTS = np.array([[1, 3, 5], [4, 0, -1]], np.int32)
TRUTH = csr_matrix(np.array([[0, 1, 1, 0, 0, 1], [1, 0, 0, 0, 0, 0]], np.float32))
HIT = metrics.hits(LISTS, TRUTH)
RELEVANT = np.array([3, 1])


def test_hits_are_the_places_of_true_items() -> None:
    assert HIT.tolist() == [[True, False, True], [False, True, False]]


def test_the_end_of_a_list_is_no_hit_of_another_persons_item() -> None:
    last_item_of_the_one_before = csr_matrix(np.array([[0, 1], [0, 1]], np.float32))
    assert metrics.hits(np.array([[0], [-1]], np.int32), last_item_of_the_one_before).tolist() == [[False], [False]]


def test_recall() -> None:
    assert metrics.recall(HIT, RELEVANT) == pytest.approx((2 / 3 + 1) / 2)


def test_ndcg() -> None:
    first = (1 + 1 / np.log2(4)) / (1 + 1 / np.log2(3) + 1 / np.log2(4))
    second = (1 / np.log2(3)) / 1
    assert metrics.ndcg(HIT, RELEVANT) == pytest.approx((first + second) / 2)


def test_average_precision() -> None:
    assert metrics.average_precision(HIT, RELEVANT) == pytest.approx(((1 / 1 + 2 / 3) / 3 + (1 / 2) / 1) / 2)


def test_a_perfect_list_scores_one() -> None:
    perfect = metrics.hits(np.array([[1, 2, 5], [0, 3, 4]], np.int32), TRUTH)
    assert [f(perfect, RELEVANT) for f in (metrics.recall, metrics.ndcg, metrics.average_precision)] == [1, 1, 1]


def test_coverage_is_the_share_of_the_catalogue_in_any_list() -> None:
    assert metrics.coverage(LISTS, 10) == 5 / 10


def test_novelty_is_the_mean_self_information_in_bits() -> None:
    users = np.array([2, 4, 0, 1, 8, 8])  # of 8 people; items 1, 3, 5, 4, 0 are listed
    assert metrics.novelty(LISTS, users, 8) == pytest.approx((1 + 3 + 0 + 0 + 2) / 5)


def test_metrics_are_named_with_the_length_of_the_list() -> None:
    found = metrics.all_at(LISTS, TRUTH, np.ones(6, np.int64), 8)
    assert list(found) == ["recall@3", "ndcg@3", "map@3", "coverage@3", "novelty@3"]
