"""The metrics, against numbers computed by hand."""

from typing import Any

import numpy as np
import pytest
from implicit.evaluation import ranking_metrics_at_k
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.metrics import ndcg_score

from ml.evaluation import metrics

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


def test_hit_rate_is_the_share_of_people_with_a_hit() -> None:
    assert metrics.hit_rate(np.array([[False, True], [False, False], [True, True]])) == pytest.approx(2 / 3)


def test_reciprocal_rank_counts_the_first_hit() -> None:
    assert metrics.reciprocal_rank(HIT) == pytest.approx((1 / 1 + 1 / 2) / 2)
    assert metrics.reciprocal_rank(np.array([[False, False]])) == 0


def test_a_perfect_list_scores_one() -> None:
    perfect = metrics.hits(np.array([[1, 2, 5], [0, 3, 4]], np.int32), TRUTH)
    assert [f(perfect, RELEVANT) for f in (metrics.recall, metrics.ndcg, metrics.average_precision)] == [1, 1, 1]


def test_coverage_is_the_share_of_the_catalogue_in_any_list() -> None:
    assert metrics.coverage(LISTS, 10) == 5 / 10


def test_gini_is_zero_for_even_lists_and_largest_for_one_item() -> None:
    four = np.array([1, 5, 2, 1])
    assert metrics.gini(np.array([[0, 1], [2, 3]], np.int32), four) == 0
    assert metrics.gini(np.array([[0], [0]], np.int32), four) == pytest.approx(3 / 4)
    assert metrics.gini(np.array([[0, 1], [0, -1]], np.int32), four) == pytest.approx((1 * 1 + 3 * 2) / (4 * 3))
    assert metrics.gini(np.array([[0], [1]], np.int32), np.array([1, 1, 0, 0])) == 0  # what nobody used does not count


def test_novelty_is_the_mean_self_information_in_bits() -> None:
    users = np.array([2, 4, 0, 1, 8, 8])  # of 8 people; items 1, 3, 5, 4, 0 are listed
    assert metrics.novelty(LISTS, users, 8) == pytest.approx((1 + 3 + 0 + 0 + 2) / 5)


def test_metrics_are_named_with_the_length_of_the_list() -> None:
    figures = metrics.all_at(LISTS, TRUTH, np.ones(6, np.int64), 8)
    names = ["recall", "ndcg", "map", "hr", "mrr", "coverage", "gini", "novelty"]
    assert list(figures) == [f"{name}@3" for name in names]


class Given:
    """A model of implicit's form whose lists are given."""

    def __init__(self, items: NDArray[np.int32]) -> None:
        self.items = items

    def recommend(self, people: NDArray[np.int32], *_: object, N: int, **__: object) -> tuple[Any, Any]:  # noqa: N803
        return self.items[people, :N], np.ones((len(people), N), np.float32)


@pytest.mark.parametrize("k", [1, 5, 20])
def test_ndcg_and_average_precision_agree_with_implicits_own(k: int) -> None:
    items, truth = random_lists(k)
    theirs = ranking_metrics_at_k(Given(items), csr_matrix(truth.shape), truth, K=k, show_progress=False)
    ours = metrics.all_at(items, truth, np.ones(truth.shape[1], np.int64), 1)
    assert ours[f"ndcg@{k}"] == pytest.approx(theirs["ndcg"])
    assert ours[f"map@{k}"] == pytest.approx(theirs["map"])


@pytest.mark.parametrize("k", [2, 20])
def test_ndcg_agrees_with_scikit_learns(k: int) -> None:
    items, truth = random_lists(k)
    scores = np.zeros(truth.shape)
    np.put_along_axis(scores, items, np.arange(k, 0, -1, dtype=float), axis=1)
    ours = metrics.all_at(items, truth, np.ones(truth.shape[1], np.int64), 1)[f"ndcg@{k}"]
    assert ours == pytest.approx(ndcg_score(truth.toarray(), scores, k=k))


def random_lists(k: int) -> tuple[NDArray[np.int32], csr_matrix]:
    """Lists of 40 people over 60 items, and one to nine true items of each."""
    rng = np.random.default_rng(3)
    items = np.array([rng.permutation(60)[:k] for _ in range(40)], np.int32)
    truth = np.zeros((40, 60), np.float32)
    for row in truth:
        row[rng.permutation(60)[: rng.integers(1, 10)]] = 1
    return items, csr_matrix(truth)
