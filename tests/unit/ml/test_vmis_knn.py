"""Session nearest neighbours against the paper's formula, written out plainly."""

from collections import defaultdict
from datetime import timedelta
from math import log

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from ml.data.interactions import IdMap, Rows
from ml.data.sessions import Sessions, from_clicks
from ml.models.session.vmis_knn import VmisKnn

LETTERS = IdMap(pa.array(list("abcdefgh")))
HOUR = 3_600_000_000


def sessions(*texts: str) -> Sessions:
    """A session a text, an hour apart; each letter is a click, a second after the one before."""
    clicks = [
        (n, letter, n * HOUR + second * 1_000_000) for n, text in enumerate(texts) for second, letter in enumerate(text)
    ]
    person, letters, at = zip(*clicks, strict=True)
    item = LETTERS.rows(letters)
    return from_clicks(LETTERS, np.array(person, np.int32), item, np.array(at, np.int64), timedelta(minutes=30))


def recent(*texts: str, width: int = 6) -> Rows:
    """Sessions at hand, padded left."""
    return np.array([[-1] * (width - len(text)) + LETTERS.rows(list(text)).tolist() for text in texts], np.int32)


def plainly(recipe: VmisKnn, history: list[str], now: str) -> dict[str, float]:
    """The score of each item, as the paper says it, one session and one item at a time."""
    evolving = [item for at, item in enumerate(now) if item not in now[at + 1 :]][-recipe.last_items :]
    sharing = [number for number, session in enumerate(history) if set(session) & set(evolving)]
    similarity = {
        number: sum((at + 1) / len(evolving) for at, item in enumerate(evolving) if item in history[number])
        for number in sharing[-recipe.sample :]
    }
    neighbours = sorted(similarity, key=lambda number: (-similarity[number], -number))[: recipe.neighbours]
    scores: dict[str, float] = defaultdict(float)
    for number in neighbours:
        steps = next(back for back, item in enumerate(reversed(evolving), start=1) if item in history[number])
        for item in set(history[number]) - set(now):
            idf = log(len(history) / sum(item in session for session in history))
            scores[item] += similarity[number] * max(1 - 0.1 * steps, 0) * idf
    return {item: score for item, score in scores.items() if score > 0}


texts = st.text("abcdefgh", min_size=1, max_size=12)
recipes = st.builds(
    VmisKnn, neighbours=st.integers(1, 6), sample=st.integers(1, 8), last_items=st.sampled_from([1, 3, 8])
)


@settings(max_examples=60)
@given(
    recipes,
    st.lists(texts, min_size=1, max_size=25),
    st.lists(st.text("abcdefgh", max_size=12), min_size=1, max_size=4),
)
def test_the_batch_gives_what_the_formula_gives_one_by_one(recipe: VmisKnn, history: list[str], now: list[str]) -> None:
    lists = recipe.fit(sessions(*history)).next_items(recent(*now, width=12), 8)
    for text, items, scores in zip(now, lists.items, lists.scores, strict=True):
        expected = plainly(recipe, history, text)
        found = dict(zip(LETTERS.take(items[items >= 0]).to_pylist(), scores.tolist(), strict=False))
        assert found == {item: pytest.approx(score, rel=1e-5) for item, score in expected.items()}
        assert (np.diff(scores) <= 0).all()


def test_what_seen_holds_is_left_out() -> None:
    seen = csr_matrix(np.isin(np.arange(8)[None], LETTERS.rows(["b"])).astype(np.float32))
    model = VmisKnn().fit(sessions("ab", "ac", "de"))
    assert LETTERS.take(model.next_items(recent("a"), 1, seen).items[0]).to_pylist() == ["c"]


def test_with_a_half_life_the_votes_of_the_last_hour_count_for_more_than_old_ones() -> None:
    history = sessions("ab", "ab", *["h"] * 8, "ac")
    first = {
        hours: LETTERS.take(VmisKnn(half_life_hours=hours).fit(history).next_items(recent("a"), 1).items[0]).to_pylist()
        for hours in (None, 2.0)
    }
    assert first == {None: ["b"], 2.0: ["c"]}
