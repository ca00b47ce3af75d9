"""What only the graph of people and items, neighbours among people and blends can do."""

from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from ml.data import split
from ml.data.interactions import Interactions, from_ids
from ml.models.protocol import Explains, FoldIn, Lists, SimilarItems
from ml.models.topk.dense_topk import best_dense
from ml.models.user_item.blend import Blend, BlendModel, joined, shares
from ml.models.user_item.gf_cf import GfCf
from ml.models.user_item.popular import Popular
from ml.models.user_item.user_knn import UserKnn
from ml.selection import blend_weights
from ml.selection.blend_weights import MemberLists

GRAPH = GfCf(busy=0.6, used=0.7, popular=0.4, neighbours=100, factors=2, smooth=0.3)
EVERYBODY = np.arange(3, dtype=np.int32)


def used(**people: str) -> Interactions:
    """p="abc": p used a, b and c."""
    pairs = [(person, item) for person, items in people.items() for item in items]
    person, item = zip(*pairs, strict=True)
    return from_ids(pa.array(person), pa.array(item))


THREE = used(p="ab", q="bc", r="bcd")
R = THREE.seen.toarray().astype(np.float64)


def test_scores_of_the_graph_are_those_of_the_formula() -> None:
    people, items = R.sum(axis=1), R.sum(axis=0)
    links = np.diag(items**-0.7) @ R.T @ np.diag(people**-0.6) @ R @ np.diag(items**-0.4)
    _, sigma, v = np.linalg.svd(np.diag(people**-0.3) @ R @ np.diag(items**-0.5))
    smooth = np.diag(items**-0.5) @ v[:2].T @ v[:2] @ np.diag(items**0.5)
    expected = R @ (links + 0.3 * sigma[0] ** 2 * smooth)
    assert GRAPH.fit(THREE).scores(THREE.seen) == pytest.approx(expected, rel=1e-4)


def test_only_the_strongest_links_of_an_item_are_kept() -> None:
    model = msgspec.structs.replace(GRAPH, neighbours=2).fit(THREE)
    whole = GRAPH.fit(THREE).links.toarray()
    assert np.diff(model.links.indptr).tolist() == [2, 2, 2, 2]
    assert np.allclose(model.links.toarray(), np.where(whole >= np.sort(whole)[:, [-2]], whole, 0))


def test_the_likeness_of_items_is_the_cosine_of_who_used_them() -> None:
    columns = np.diag(R.sum(axis=1) ** -0.3) @ R
    cosine = columns.T @ columns / np.outer(*[np.linalg.norm(columns, axis=0)] * 2)
    np.fill_diagonal(cosine, 0)
    model = GRAPH.fit(THREE)
    assert isinstance(model, SimilarItems)
    items, scores = model.similar(np.arange(4, dtype=np.int32), 3)
    for item in range(4):
        assert scores[item] == pytest.approx(np.sort(cosine[item])[::-1][:3], abs=1e-5)
        assert cosine[item, items[item][items[item] >= 0]] == pytest.approx(scores[item][items[item] >= 0], abs=1e-5)


def test_contributions_of_a_persons_items_add_up_to_the_score() -> None:
    model, history = GRAPH.fit(THREE), THREE.where(THREE.person == 1)
    assert isinstance(model, Explains)
    items = np.array([0, 3], np.int32)
    added = model.contributions(items, history)
    assert added.shape == (2, 2)
    assert added.sum(axis=1) == pytest.approx(model.scores(THREE.seen[[1]])[0, items], rel=1e-4)


def test_a_blend_adds_its_members_reasons_by_their_weights_as_it_does_their_scores() -> None:
    other = msgspec.structs.replace(GRAPH, popular=0.0, smooth=0.0)
    recipe = Blend(members=(GRAPH, UserKnn(), other, Popular()), weights=(1.0, 0.7, 0.5, 0.2))
    model, history, items = recipe.fit(THREE), THREE.where(THREE.person == 0), np.array([2, 3], np.int32)
    each = [member.contributions(items, history) for member in (GRAPH.fit(THREE), other.fit(THREE))]
    shares = [added / added.sum(axis=1).max() for added in each]
    assert model.contributions(items, history) == pytest.approx(shares[0] + 0.5 * shares[1])
    unsaid = Blend(members=(UserKnn(),), weights=(1.0,)).fit(THREE)
    assert not unsaid.contributions(items, history).any()


def test_new_people_and_items_fold_into_the_graph() -> None:
    whole = used(p="ab", q="bc", r="bcd", s="de")
    model = GRAPH.fit(THREE)
    assert isinstance(model, FoldIn)
    grown = model.fold_in(whole, np.array([3], np.int32), np.array([4], np.int32))
    anew = msgspec.structs.replace(GRAPH, factors=0).fit(whole).links.toarray()
    assert grown.links.toarray()[:, 4] == pytest.approx(anew[:, 4], rel=1e-5)
    assert grown.links.toarray()[4] == pytest.approx(anew[4], rel=1e-5)
    newest = grown.recommend(np.array([2, 3], np.int32), 5, whole.seen[[2, 3]]).items
    assert 4 in newest[0]  # r shares d with s, who brought e
    assert (newest[1] >= 0).any()


def test_neighbours_are_weighed_by_what_they_share() -> None:
    people, items = R.sum(axis=1), R.sum(axis=0)
    alike = (R @ np.diag(items**-0.5) @ R.T @ np.diag(people**-0.5)) ** 1.5
    np.fill_diagonal(alike, 0)
    expected = alike @ R @ np.diag(items**-0.2)
    lists = UserKnn().fit(THREE).recommend(EVERYBODY, 4)
    for person in EVERYBODY:
        there = lists.items[person] >= 0
        assert lists.scores[person][there] == pytest.approx(np.sort(expected[person][expected[person] > 0])[::-1])


def lists(*rows: list[tuple[int, float]]) -> Lists:
    items, scores = np.array(rows).transpose(2, 0, 1)
    return Lists(items.astype(np.int32), scores.astype(np.float32))


def test_a_blend_adds_the_shares_of_each_lists_first_score() -> None:
    one, other = lists([(5, 10.0), (2, 5.0), (-1, 0.0)]), lists([(2, 0.4), (7, 0.3), (5, 0.1)])
    found = joined(shares([one, other]), (1.0, 0.5), 4)
    assert found.items.tolist() == [[5, 2, 7, -1]]
    assert found.scores[0] == pytest.approx([1 + 0.5 / 4, 0.5 + 0.5, 0.5 * 3 / 4, 0])


def test_equal_scores_of_a_blend_are_listed_by_row() -> None:
    found = joined(shares([lists([(9, 1.0), (3, 1.0)]), lists([(4, 2.0), (1, 2.0)])]), (1.0, 1.0), 3)
    assert found.items.tolist() == [[1, 3, 4]]


def test_what_is_similar_is_known_by_the_heaviest_member_that_can_tell() -> None:
    items = np.arange(4, dtype=np.int32)
    blend = Blend(members=(Popular(), GRAPH), weights=(1.0, 0.1))
    assert np.array_equal(blend.fit(THREE).similar(items, 2).items, GRAPH.fit(THREE).similar(items, 2).items)
    nobody = Blend(members=(Popular(), UserKnn()), weights=(1.0, 1.0))
    assert (nobody.fit(THREE).similar(items, 2).items == -1).all()


def test_learned_weights_drop_a_member_that_misleads() -> None:
    rng, liked = np.random.default_rng(1), np.arange(8, 0, -1) / 36  # the earlier letters more than the later ones
    kinds = list("abcdefgh"), list("stuvwxyz")
    taste = {f"p{n:02}": "".join(rng.choice(kinds[n % 2], 4, replace=False, p=liked)) for n in range(40)}
    validation = split.held_out(used(**taste), 0.3, seed=1)
    blend = Blend(members=(UserKnn(), Popular()), weights=(1.0, 1.0), depth=16)
    fitted = blend.fit(validation.train)
    people = validation.people(100, seed=1)
    misled = BlendModel(blend, (fitted.members[0], _Reversed(fitted.members[0])))
    lists = MemberLists.of(misled.members, blend.depth, validation, people, 3)
    found = blend_weights.weigh(blend, lists, 3)
    assert found.weights[0] == 1.0 > found.weights[1]


class _Reversed:
    """Recommends as another model, worst first."""

    def __init__(self, model: Any) -> None:
        self.model, self.recipe, self.arrays = model, model.recipe, model.arrays

    def recommend(self, people: Any, n: int, seen: csr_matrix | None = None) -> Lists:
        best = self.model.recommend(people, n, seen)
        return Lists(best.items, np.where(best.items >= 0, 1 / np.maximum(best.scores, 1e-6), 0).astype(np.float32))


@settings(max_examples=60)
@given(st.data())
def test_the_best_of_dense_scores_are_those_of_a_plain_sort_equal_ones_by_row(data: st.DataObject) -> None:
    columns, n = data.draw(st.integers(1, 90)), data.draw(st.integers(1, 8))
    rows = data.draw(st.lists(st.lists(st.integers(-1, 4), min_size=columns, max_size=columns), min_size=1, max_size=3))
    scores = np.array(rows, np.float32)
    seen = csr_matrix(np.array(data.draw(st.lists(st.booleans(), min_size=scores.size, max_size=scores.size)))
                      .reshape(scores.shape), dtype=np.float32)  # fmt: skip
    wanted = [
        sorted((item for item in range(columns) if row[item] > 0 and not seen[at, item]), key=lambda i: (-row[i], i))[
            :n
        ]
        for at, row in enumerate(rows)
    ]
    found = best_dense(scores.copy(), n, seen)
    assert [[item for item in row if item >= 0] for row in found.items.tolist()] == wanted
