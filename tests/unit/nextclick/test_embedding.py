"""The live embedding: strengths by hand, and folding in against the library that fits the factors."""

import numpy as np
import pytest
from implicit.als import AlternatingLeastSquares
from scipy.sparse import csr_matrix

from nextclick.profile import embedding, profile
from nextclick.profile.profile import Action
from serving.index import vectors
from serving.index.index import ServingIndex
from serving.index.vectors import Embedded
from tests.serving_index import Store, shop

HOUR = 3_600_000
VIEW, CART, REMOVED, BUY = "view_item", "add_to_cart", "remove_from_cart", "purchase"
WEIGHTS = {VIEW: 1.0, CART: 4.0, REMOVED: -2.0, BUY: 8.0}


def action(kind: str, item: str, hours_ago: float = 0) -> Action:
    return Action(int(-hours_ago * HOUR), 0, profile._CODE_OF[kind], item)


def strengths(half_life_ms: int, *actions: Action) -> dict[str, float]:
    return embedding.strengths([each.item for each in actions], actions, 0, WEIGHTS, half_life_ms)


def test_strengths_add_up_by_item_and_fade() -> None:
    actions = action(VIEW, "a"), action(CART, "a", 24), action(VIEW, "b", 48), action("scroll", "c")
    assert strengths(24 * HOUR, *actions) == {"a": 3.0, "b": 0.25}


def test_what_was_taken_out_of_the_cart_again_is_not_used() -> None:
    assert strengths(HOUR, action(REMOVED, "a"), action(VIEW, "a")) == {}


def test_what_lies_ahead_has_just_happened() -> None:
    assert strengths(HOUR, action(VIEW, "a", -5)) == {"a": 1.0}


def test_folding_in_gives_the_vector_that_the_library_gives() -> None:
    draw = np.random.default_rng(3)
    items = draw.normal(size=(30, 8)).astype(np.float32)
    used, strength, alpha, regularization = [4, 7, 21], np.array([1.0, 0.5, 6.0]), 3.0, 0.7
    model = AlternatingLeastSquares(8, regularization=regularization, alpha=1.0, num_threads=1)
    model.item_factors, model.user_factors = items, np.zeros((1, 8), np.float32)
    row = csr_matrix((1 + alpha * strength, ([0, 0, 0], used)), (1, 30), dtype=np.float32)
    exact = items.astype(np.float64)
    ours = embedding.fold_in(embedding.inverse(exact.T @ exact, regularization), exact[used], strength, alpha)
    np.testing.assert_allclose(ours, model.recalculate_user(0, row), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(("items", "regularization"), [(30, 0.7), (30, 0.0), (5, 0.7), (5, 0.0)])
@pytest.mark.parametrize("count", [1, 4, 20])
def test_folding_in_solves_the_normal_equations(items: int, count: int, regularization: float) -> None:
    """Also where people used more items than there are dimensions, and five items do not span all eight of these."""
    draw = np.random.default_rng(items + count)
    every = draw.normal(size=(items, 8))
    used, strength = every[draw.integers(0, items, count)], draw.exponential(size=count)
    ours = embedding.fold_in(embedding.inverse(every.T @ every, regularization), used, strength, 3.0)
    whole = every.T @ every + (used.T * 3.0 * strength) @ used + regularization * np.eye(8)
    np.testing.assert_allclose(whole @ ours, (1 + 3.0 * strength) @ used, rtol=1e-9, atol=1e-9)


def test_the_mean_is_weighted_by_strength() -> None:
    assert embedding.mean(np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([3.0, 1.0])).tolist() == [0.75, 0.25]


VECTORS = {"lamp": [1.0, 0.0], "bulb": [2.0, 0.0], "sofa": [0.0, 1.0], "stool": [-1.0, 0.0]}


@pytest.fixture
def index() -> ServingIndex:
    return shop(vectors=VECTORS)


def test_a_visitor_of_one_item_stands_in_its_direction(index: ServingIndex) -> None:
    stock, space = index.catalogue, index.vectors
    assert space is not None
    lamp, gift, never = stock.numbers(["lamp", "gift", "never"]).tolist()
    embedded = space.embed({lamp: 2.0, gift: 9.0, never: 9.0})  # of the other two nothing is known
    assert embedded is not None
    # gram [[6, 0], [0, 1]], c = 3: x = 3 / (6 + 2 + 1)
    np.testing.assert_allclose(embedded.vector, [1 / 3, 0])
    assert space.mean(embedded).tolist() == [1, 0]
    number = stock.numbers(["lamp", "bulb", "sofa", "stool", "gift", "never"])
    near = space.affinity(embedded, number, index.among(number, embedded.used))
    assert near.tolist() == [0, 1, 0, 0, 0, 0]  # the lamp was used; right angles and more are nothing


def test_who_used_nothing_that_has_a_vector_stands_nowhere(index: ServingIndex) -> None:
    assert index.vectors is not None
    assert index.vectors.embed({index.catalogue.number["gift"]: 1.0}) is None
    assert index.vectors.embed({}) is None
    lost = Embedded(np.array([np.nan, 1.0]), np.zeros(0, np.int64), np.zeros(0))
    assert index.vectors.affinity(lost, np.array([0, 1]), np.zeros(2, bool)).tolist() == [0, 0]


def test_a_version_without_vectors_has_no_space() -> None:
    assert shop().vectors is None


@pytest.mark.parametrize("value", [b"\0", b"\0\x7e" * 2 * 5, b"\0\0" * 2 * 6], ids=["cut", "NaN", "too many"])
def test_damaged_vectors_are_refused(value: bytes) -> None:
    store = Store({name: {} for name in "abcde"}, vectors={"a": [1.0, 0.0]})
    (key,) = [key for key in store.entries if key.startswith(b"v")]
    store.entries[key] = value
    with pytest.raises(Exception, match="nextclick export --full"):
        vectors.load(store)
