"""Items that are alike: by the sessions that they are used in, and by how they are described."""

from datetime import timedelta
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pytest

from ml.data.interactions import IdMap, Rows
from ml.data.sessions import Sessions, from_clicks
from ml.models.item_item.item2vec import Item2Vec
from ml.models.item_item.tfidf import DescribedItem, Tfidf, words
from ml.models.protocol import SimilarItems
from ml.registry.artifact import flat

NAMES = ["red mug", "blue mug", "red kite", "big kite", "unused", "mug"]
ITEMS = IdMap(pa.array(NAMES))
EVERY = np.arange(len(ITEMS), dtype=np.int32)


def sessions() -> Sessions:
    """Mugs are used with mugs and kites with kites, whatever their colour; nobody uses 'unused'."""
    texts = [["red mug", "blue mug", "mug"], ["red kite", "big kite"]] * 5 + [["blue mug", "big kite"]]
    rows = [(n, item, n * 10**10 + at) for n, text in enumerate(texts) for at, item in enumerate(text)]
    person, item, at = zip(*rows, strict=True)
    clicked = ITEMS.rows(item), np.array(at, np.int64)
    return from_clicks(ITEMS, np.array(person, np.int32), *clicked, timedelta(minutes=30))


def described() -> list[DescribedItem]:
    return [
        DescribedItem(name, "toys/kites" if "kite" in name else "kitchen", (("new", "yes"),)) for name in NAMES[:4]
    ] + [
        DescribedItem(),
        DescribedItem("mug"),
    ]


MODELS: list[Any] = [Item2Vec(dimensions=3).fit(sessions()), Tfidf(features=1 << 10).fit(described())]
every_model = pytest.mark.parametrize("model", MODELS, ids=["item2vec", "tfidf"])


def names(rows: Rows) -> list[str]:
    return [NAMES[row] for row in rows if row >= 0]


@every_model
def test_nearest_come_first_never_itself_and_scores_are_cosines(model: Any) -> None:
    assert isinstance(model, SimilarItems)
    lists = model.similar(EVERY, 4)
    assert (lists.items.shape, str(lists.items.dtype), str(lists.scores.dtype)) == ((6, 4), "int32", "float32")
    assert (np.diff(lists.scores, axis=1) <= 0).all()
    assert ((lists.scores > 0) == (lists.items >= 0)).all()
    assert (lists.scores <= 1.0001).all()
    assert all(item not in row for item, row in enumerate(lists.items.tolist()))


@every_model
def test_an_item_of_which_nothing_is_known_resembles_none(model: Any) -> None:
    lists = model.similar(EVERY, 8)
    assert names(lists.items[4]) == []
    assert 4 not in lists.items
    assert lists.items.shape == (6, 8)


@every_model
def test_a_model_comes_back_from_its_recipe_as_json_and_its_arrays(model: Any) -> None:
    again = msgspec.json.decode(msgspec.json.encode(model.recipe), type=type(model.recipe)).restore(model.arrays)
    assert np.array_equal(again.similar(EVERY, 3).items, model.similar(EVERY, 3).items)
    found = {name: (array.dtype.type, array.shape) for name, array in model.arrays.items()}
    assert flat(model.recipe.layout(len(ITEMS)), model.arrays) == found


def test_sessions_put_mugs_with_mugs_though_colours_are_words() -> None:
    assert set(names(MODELS[0].similar(np.array([0], np.int32), 2).items[0])) == {"blue mug", "mug"}


def test_words_put_an_item_that_nobody_has_used_with_those_described_alike() -> None:
    content = Tfidf(features=1 << 10).fit([*described(), DescribedItem("green mug", "kitchen")])
    assert names(content.similar(np.array([6], np.int32), 3).items[0])[0] in {"red mug", "blue mug", "mug"}


def test_a_category_counts_step_by_step_and_an_attribute_by_its_key() -> None:
    found = words(DescribedItem("Red Kite", "Toys/Kites", (("colour", "Red"),)))
    assert found == ["name=red", "name=kite", "category=toys", "category=toys/kites", "colour=red"]
    assert words(DescribedItem()) == []


def test_information_is_the_logarithm_of_how_much_oftener_than_by_chance_items_meet() -> None:
    meet = sessions().used.T @ sessions().used
    information = Item2Vec().information(meet.tocsr())
    total = np.array([10, 11, 5, 6, 0, 10.0])  # common sessions of each item with others
    chance = total**0.75 / (total**0.75).sum()
    assert information[0, 1] == pytest.approx(np.log(5 / (10 * chance[1])), rel=1e-5)
    assert information[1, 3] == 0  # they met once, less than by chance
