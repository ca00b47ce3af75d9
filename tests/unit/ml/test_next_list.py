"""gold.next_items: what is read of silver.events, how a model is chosen, and what is published."""

from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import pyarrow as pa
import pytest
from deltalake import DeltaTable

from ml.data.interactions import IdMap
from ml.lists import next_items
from ml.lists.rows import ListStamp
from ml.registry import tracking
from nextclick.errors import ModelError
from nextclick.lake.lists_manifest import ListsManifest
from nextclick.settings import Settings, load
from tests.table_rows import NOON, write

ITEMS = IdMap(pa.array([f"{letter}{n}" for letter in "ab" for n in range(6)]))


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    def none(*_: object) -> str:
        raise ModelError("no MLflow here")

    monkeypatch.setattr(tracking, "log", none)
    return load(tmp_path / "lake", profile="test", environ={})


def event(visitor: str, item: str | None, at: datetime, kind: str = "view_item") -> dict[str, object]:
    times = dict.fromkeys(("occurred_at", "client_time", "received_at"), at)
    return {
        "event_id": f"{visitor} {at}",
        "event": kind,
        "visitor_id": visitor,
        "item_id": item,
        "site": "default",
        **times,
    }


def rounds(visitors: int) -> list[dict[str, object]]:
    """Each visitor walks a0 → a1 → … → a5, or b0 → …, in one session."""
    return [
        event(f"v{n:03}", f"{'ab'[n % 2]}{step}", NOON + timedelta(hours=n, minutes=step))
        for n in range(visitors)
        for step in range(6)
    ]


def test_sessions_are_cut_at_the_gap_and_hold_each_item_once_in_turn(settings: Settings) -> None:
    def minutes(count: int) -> datetime:
        return NOON + timedelta(minutes=count)

    write(
        settings.lake,
        "silver.events",
        [
            event("v", "a0", minutes(0)),
            event("v", "a0", minutes(1), "add_to_cart"),  # the same item again
            event("v", None, minutes(2), "page_view"),
            event("v", "a1", minutes(3), "scroll"),  # counts for nothing
            event("v", "unknown", minutes(4)),
            event("v", "a2", minutes(5)),
            event("v", "b0", minutes(36)),  # after the gap
            event("w", "b1", minutes(1)),
            event("w", "b2", minutes(-60 * 24 * 31)),  # too long ago
        ],
    )
    result = next_items.read(settings, ITEMS)
    assert result is not None
    sessions, source = result
    names = sessions.items.take(sessions.item).to_pylist()
    assert [names[start:end] for start, end in zip(sessions.start[:-1], sessions.start[1:], strict=True)] == [
        ["a0", "a2"],
        ["b0"],
        ["b1"],
    ]
    assert source.version == 0


def test_sessions_are_cut_at_the_gap_of_the_site(settings: Settings) -> None:
    steps = [event("v", f"a{step}", NOON + timedelta(minutes=40 * step)) for step in range(3)]
    write(settings.lake, "silver.events", steps)
    own = msgspec.structs.replace(settings.sessions, gaps={"default": 45, "other": 10})
    lengths = []
    for sessions in (settings.sessions, own):
        result = next_items.read(msgspec.structs.replace(settings, sessions=sessions), ITEMS)
        assert result is not None
        lengths.append(result[0].lengths.tolist())
    assert lengths == [[1, 1, 1], [3]]


def published(settings: Settings) -> tuple[dict[str, list[str]], next_items.Facts]:
    facts = next_items.publish(settings, ITEMS, ListStamp("default", "1", NOON), "lists/1").facts
    lists: dict[str, list[str]] = {}
    rows = DeltaTable(settings.lake.table("gold.next_items")).to_pyarrow_table().to_pylist()
    for row in sorted(rows, key=lambda row: (row["item_id"], row["rank"])):
        lists.setdefault(row["item_id"], []).append(row["next_item_id"])
    return lists, facts


def test_what_follows_an_item_comes_first_in_its_list(settings: Settings) -> None:
    write(settings.lake, "silver.events", rounds(300))
    few = msgspec.structs.replace(settings, evaluation=msgspec.structs.replace(settings.evaluation, k=2))
    lists, facts = published(few)
    assert lists["a0"][0] == "a1"
    assert lists["b3"][0] == "b4"
    assert all(item not in names for item, names in lists.items())
    rate, floor = facts["next_items.hr@2"], facts["next_items.floor"]
    assert isinstance(rate, float)
    assert isinstance(floor, float)
    assert rate > floor
    assert facts["next_items"] != next_items.FLOOR
    assert facts["next_items.mlflow"] == "not logged: no MLflow here"


def test_with_few_clicks_or_none_there_are_no_lists(settings: Settings) -> None:
    assert published(settings) == ({}, {"session_model": "There are fewer than 100 clicks to judge by."})
    write(settings.lake, "silver.events", rounds(10))
    assert published(settings) == ({}, {"session_model": "There are fewer than 100 clicks to judge by."})


def test_what_beats_no_popularity_is_not_published(settings: Settings) -> None:
    write(settings.lake, "silver.events", rounds(300))
    lists, facts = published(settings)  # a list of 20 holds all 12 items: nothing is better than any
    assert lists == {}
    assert facts["next_items"] is None


def manifest(published: next_items.Published) -> ListsManifest:
    """What an update is told of it."""
    return ListsManifest(
        lists_id="1", kind="full", site="default", model_version="1", run_id=None, interactions_version=0, interactions_id="",
        generated_at=NOON, people=0, changed=0, popular_version=0, similar_version=0, state="", digest="", model_digest="",
        next_model=published.model, next_recipe=published.recipe, session=published.session,
    )  # fmt: skip


def test_a_model_that_was_learned_for_the_clicks_makes_the_lists_anew_from_its_recipe(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(settings.lake, "silver.events", rounds(600))
    learning = msgspec.structs.replace(settings.evaluation, k=2, search_seconds=0.001)
    learning_settings = msgspec.structs.replace(settings, evaluation=learning)
    candidates = next_items.recipes(learning_settings)
    weak = dict.fromkeys(candidates, candidates[next_items.FLOOR])  # so the learned one is the best
    monkeypatch.setattr(next_items, "recipes", lambda _: weak)
    stamp = ListStamp("default", "1", NOON)
    first = next_items.publish(learning_settings, ITEMS, stamp, "lists/1")
    assert first.model == next_items.LEARNED
    rows = DeltaTable(settings.lake.table("gold.next_items")).to_pyarrow_table()
    refreshed = next_items.refresh(learning_settings, ITEMS, stamp, manifest(first), "lists/1")
    assert refreshed is not None
    assert refreshed[0] == first.version + 1
    assert refreshed[1].reason == first.session.reason
    again = DeltaTable(settings.lake.table("gold.next_items")).to_pyarrow_table()
    assert again.sort_by([("item_id", "ascending"), ("rank", "ascending")]) == rows.sort_by(
        [("item_id", "ascending"), ("rank", "ascending")]
    )
    assert (
        next_items.refresh(settings, ITEMS, stamp, manifest(first._replace(model="of old", recipe="")), "lists/1")
        is None
    )
