"""Session neighbours by places and distances, against the formula, one by one."""

import math
from collections import defaultdict
from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.data.interactions import IdMap
from ml.data.sessions import Sessions, from_clicks
from ml.models.session.stan import Stan

LETTERS = IdMap(pa.array(list("abcdef")))
HOUR = 3_600_000_000
SOME = st.text("abcdef", min_size=1, max_size=6)


def sessions(texts: list[str]) -> Sessions:
    clicks = [(n, letter, n * HOUR + at) for n, text in enumerate(texts) for at, letter in enumerate(text)]
    person, letters, at = zip(*clicks, strict=True)
    rows = LETTERS.rows(letters)
    return from_clicks(LETTERS, np.array(person, np.int32), rows, np.array(at, np.int64), timedelta(minutes=30))


def plainly(recipe: Stan, history: list[str], now: str) -> dict[str, float]:
    """The docstring's formulas, without arrays."""
    last: list[str] = []
    for letter in reversed(now):
        if letter not in last:
            last.append(letter)
    last = last[: recipe.last_items]
    likeness: dict[int, float] = {}
    for n, text in enumerate(history):
        late = [
            letter for letter in last if n in [m for m, one in enumerate(history) if letter in one][-recipe.sample :]
        ]
        if late:
            shared = sum(2 ** (-last.index(letter) / recipe.half_life_places) for letter in late)
            likeness[n] = shared / len(set(text)) ** recipe.length
    scores: dict[str, float] = defaultdict(float)
    for n in likeness:  # fewer than recipe.neighbours
        places = {letter: history[n].rindex(letter) for letter in set(history[n])}
        late = [
            letter for letter in last if n in [m for m, one in enumerate(history) if letter in one][-recipe.sample :]
        ]
        for letter, place in places.items():
            steps = place - places[late[0]]
            if steps:
                side = recipe.before if steps < 0 else 1
                vote = likeness[n] * side * 2 ** (-abs(steps) / recipe.near_places)
                idf = math.log1p(len(history) / sum(letter in one for one in history))
                scores[letter] += vote * idf**recipe.rarity
    return {letter: score for letter, score in scores.items() if score}


@settings(max_examples=40)
@given(
    st.builds(Stan, sample=st.integers(1, 4), last_items=st.integers(1, 4),
              before=st.sampled_from([0.0, 0.5]), length=st.sampled_from([0.0, 0.5])),
    st.lists(SOME, min_size=1, max_size=8), SOME,
)  # fmt: skip
def test_the_batch_gives_what_the_formula_gives_one_by_one(recipe: Stan, history: list[str], now: str) -> None:
    asked = np.array([[-1] * (6 - len(now)) + LETTERS.rows(list(now)).tolist()], np.int32)
    scores = recipe.fit(sessions(history)).scores(np.concatenate([asked, asked])).toarray()[1]
    expected = plainly(recipe, history, now)
    assert {LETTERS.ids[i].as_py(): pytest.approx(scores[i], rel=1e-4) for i in np.flatnonzero(scores)} == expected


def test_what_is_near_the_shared_item_counts_for_more_than_what_is_far() -> None:
    found = Stan(near_places=1.0, rarity=0.0).fit(sessions(["abcd"])).scores(np.array([[0]], np.int32)).toarray()[0]
    assert (found / found[1]).tolist() == pytest.approx([0, 1, 0.5, 0.25, 0, 0])


def test_of_sessions_that_are_as_near_the_latest_vote() -> None:
    scores = Stan(neighbours=1).fit(sessions(["ab", "ac", "ad"])).scores(np.array([[0]], np.int32)).toarray()[0]
    assert np.flatnonzero(scores).tolist() == [3]
