"""A person's own order: what follows the latest of their items, in a world whose order is known."""

import numpy as np
import pyarrow as pa
import pytest

from ml.data.interactions import Interactions, from_arrow
from ml.models.user_item.sequence import OwnSequence, as_sessions

DAY = 86_400_000_000


def pairs(sequences: list[list[int]]) -> Interactions:
    """A person a sequence, an item a day."""
    rows = [(f"p{n:03}", f"i{item:02}", day) for n, one in enumerate(sequences) for day, item in enumerate(one)]
    person, item, day = zip(*rows, strict=True)
    times = pa.array(np.array(day) * DAY, pa.timestamp("us", "UTC"))
    names = ["person_id", "item_id", "strength", "first_at", "last_at"]
    return from_arrow(pa.table([person, item, [1.0] * len(rows), times, times], names=names))


def rings(people: int, order: np.ndarray) -> list[list[int]]:
    """Six items of each person, each followed by the next of `order`, from another place on."""
    return [[int(order[(first + step) % 20]) for step in range(6)] for first in range(people)]


ORDER = np.random.default_rng(2).permutation(20)


@pytest.mark.parametrize("recipe", [OwnSequence(), OwnSequence(walk=0.3), OwnSequence(reach=1, half_life_days=5.0)])
def test_what_follows_a_persons_latest_item_is_first(recipe: OwnSequence) -> None:
    learned = pairs(rings(60, ORDER))
    lists = recipe.fit(learned).recommend(np.arange(60, dtype=np.int32), 1, learned.seen)
    expected = [f"i{ORDER[(first + 6) % 20]:02}" for first in range(60)]
    assert learned.items.take(lists.items[:, 0]).to_pylist() == expected


def test_where_no_order_holds_a_list_is_no_better_than_chance() -> None:
    rng = np.random.default_rng(4)
    sequences = [rng.permutation(20)[:7].tolist() for _ in range(400)]
    learned = pairs([one[:-1] for one in sequences])
    lists = OwnSequence().fit(learned).recommend(np.arange(400, dtype=np.int32), 5, learned.seen)
    names = learned.items.take(lists.items.ravel()).to_pylist()
    hits = [f"i{one[-1]:02}" in names[5 * n : 5 * n + 5] for n, one in enumerate(sequences)]
    assert np.mean(hits) == pytest.approx(5 / 14, abs=0.1)  # of the 14 items that are left; four standard errors


def test_a_persons_sequence_is_in_the_order_of_last_use() -> None:
    sessions = as_sessions(pairs([[3, 1, 2], [5]]))
    assert [sessions.items.ids[row].as_py() for row in sessions.item] == ["i03", "i01", "i02", "i05"]
    assert sessions.start.tolist() == [0, 3, 4]


def test_a_person_without_pairs_has_no_list_and_a_long_history_ends_at_its_latest() -> None:
    long = pairs([list(range(80)), [0, 1]])
    model = OwnSequence().fit(long)
    lists = model.recommend(np.arange(2, dtype=np.int32), 3)
    assert model._latest[0].tolist() == list(range(30, 80))
    assert model._latest[1].tolist() == [-1] * 48 + [0, 1]
    assert (lists.items[1] >= 0).all()
    nobody = long.where(long.person == 0)
    assert (OwnSequence().fit(nobody).recommend(np.array([1], np.int32), 3).items == -1).all()
