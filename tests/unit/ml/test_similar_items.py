"""gold.similar_items: by which model items are alike, and what becomes of items that nobody has used."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pytest

from ml.data import split
from ml.data.interactions import Interactions, TableVersion, from_arrow
from ml.jobs import train
from ml.lists import similar_items
from ml.lists.rows import ListStamp, similar_rows
from ml.models.user_item.als import Als
from ml.models.user_item.popular import Popular
from ml.registry.artifact import Artifact, SimilarSource
from nextclick.settings import Settings, load
from tests.table_rows import NOON, write

ALS = Als(factors=2, iterations=8, regularization=0.1, alpha=10.0, seed=1, half_life_days=14.0, recent_hours=6.0)
USERS = 300
SHELVES = "ab"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    loaded = load(tmp_path / "lake", profile="test", environ={})
    return msgspec.structs.replace(loaded, evaluation=msgspec.structs.replace(loaded.evaluation, k=2))


def pairs() -> Interactions:
    """Everybody walks a0 → … → a5, or b0 → …, an hour after the one before."""
    rows = [
        (f"v{n:03}", f"{SHELVES[n % 2]}{step}", NOON + timedelta(hours=n, minutes=step))
        for n in range(USERS)
        for step in range(6)
    ]
    person, item, at = zip(*rows, strict=True)
    names = ["person_id", "item_id", "strength", "first_at", "last_at"]
    return from_arrow(pa.table([person, item, [1.0] * len(rows), at, at], names=names))


def write_events(settings: Settings) -> None:
    used = pairs()
    people, items = used.people.take(used.person).to_pylist(), used.items.take(used.item).to_pylist()
    times = pa.array(used.first_at, pa.timestamp("us", "UTC")).to_pylist()
    rows = [
        {"event_id": f"{at}", "event": "view_item", "visitor_id": person, "item_id": item, "site": "default"}
        | dict.fromkeys(("occurred_at", "client_time", "received_at"), at)
        for person, item, at in zip(people, items, times, strict=True)
    ]
    write(settings.lake, "silver.events", rows)


def write_catalogue(settings: Settings) -> None:
    """Each shelf is a category; `fresh` stands on shelf b and nobody has used it; of `bare` nothing is known."""
    names = {f"{shelf}{step}": shelf for shelf in SHELVES for step in range(6)} | {"fresh": "b", "bare": None}
    rows = [
        {"item_id": item, "site": "default", "name": None, "category": f"shelf {shelf}" if shelf else None}
        for item, shelf in names.items()
    ]
    write(settings.lake, "silver.items", rows)


def fitted(settings: Settings, similar_source: SimilarSource | None = None) -> Artifact:
    return train.fit(train.TrainingRun(settings, pairs(), TableVersion("", 1, "t")), ALS, Popular(), similar_source)


def lists(settings: Settings, artifact: Artifact, n: int = 5) -> dict[str, list[str]]:
    by_item: dict[str, list[str]] = {}
    for rows in similar_rows(*similar_items.of(settings, artifact), n, ListStamp("default", "1", NOON)):
        for row in rows.to_pylist():
            by_item.setdefault(row["item_id"], []).append(row["similar_item_id"])
    return by_item


def judged(settings: Settings) -> similar_items.SimilarItemsChoice:
    everything = pairs()
    test = split.by_time(everything, 0.3)
    before = split.before(everything, test.cut, 0.4)
    choice = similar_items.judge(settings, before, test, ALS.fit(before.train))
    assert choice is not None
    return choice


def test_the_model_whose_lists_people_follow_is_chosen(settings: Settings) -> None:
    write_events(settings)
    write_catalogue(settings)
    choice = judged(settings)
    often = {name: rate for name, rate in choice.validation.items() if name.startswith("often.")}
    assert often.keys() == {"often.personal", "often.item2vec", "often.tfidf"}
    assert choice.validation[f"often.{choice.similar_source.often}"] == max(often.values())
    assert choice.similar_source.seldom == "tfidf"  # too few clicks follow such an item to tell
    assert choice.test.keys() == choice.validation.keys()


def test_without_events_nothing_can_be_chosen(settings: Settings) -> None:
    everything = pairs()
    test = split.by_time(everything, 0.3)
    assert similar_items.judge(settings, test, test, None) is None


def test_an_item_that_nobody_has_used_has_neighbours_and_is_one(settings: Settings) -> None:
    write_catalogue(settings)
    similar = lists(settings, fitted(settings, SimilarSource(often="tfidf")), n=6)
    assert set(similar["fresh"]) == {f"b{step}" for step in range(6)}
    assert "fresh" in similar["b5"]
    assert "bare" not in similar
    assert all(item not in names for item, names in similar.items())


def test_without_a_catalogue_the_personal_model_says_what_is_alike(settings: Settings) -> None:
    similar = lists(settings, fitted(settings))
    assert similar.keys() == {f"{shelf}{step}" for shelf in SHELVES for step in range(6)}
    assert set(similar["a0"]) == {f"a{step}" for step in range(1, 6)}


def test_sessions_stand_in_where_they_were_chosen(settings: Settings) -> None:
    write_events(settings)
    artifact = replace(fitted(settings, SimilarSource(often="item2vec")), model=Popular().fit(pairs()))
    assert set(lists(settings, artifact)["b2"]) == {"b0", "b1", "b3", "b4", "b5"}


def test_an_update_asks_for_its_new_items_alone_and_learns_no_sessions(settings: Settings) -> None:
    write_events(settings)
    write_catalogue(settings)
    artifact = fitted(settings, SimilarSource(often="item2vec", seldom="item2vec"))
    new = np.array([0], np.int32)
    model, ids, numbers = similar_items.of(settings, artifact, new)
    assert numbers.tolist() == [0]
    assert "item2vec" not in model.models
    assert set(ids.take(model.similar(numbers, 5).items[0]).to_pylist()) == {f"a{step}" for step in range(1, 6)}


def test_lists_of_words_end_where_they_would_take_too_long(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    write_catalogue(settings)
    monkeypatch.setattr(similar_items, "_WORK", 100.0)
    similar = lists(settings, fitted(settings, SimilarSource(often="tfidf")))
    assert "fresh" in similar  # what nobody has used comes first
    assert "fresh" not in similar["a0"]  # the personal model stands in for the rest
    assert len(similar) == 13
