"""What an export carries beside the lists: the catalogue, how much items are used, what people do and search next."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from deltalake import DeltaTable, write_deltalake
from msgspec import UNSET

from nextclick import ctr, kv
from nextclick.errors import ModelError
from nextclick.kv import open_profiles
from nextclick.kv.lists.packing import QUERIES, TRANSITIONS, decode_history, history_key
from nextclick.lake import files
from nextclick.profile import profile
from nextclick.profile.conversion import ConversionRates
from nextclick.profile.profile import Action
from nextclick.settings import Settings
from serving import ruled_lists
from serving.engine import AnswerContext
from serving.experiments.assignment import Assignments
from serving.export import behaviour_counts, export
from serving.metrics import ServingMetrics
from serving.ranking.visitor import VisitorLookup, Who
from tests import table_rows
from tests.conftest import WriteInteractions
from tests.integration.conftest import Gold
from tests.integration.test_serving import CATALOGUE, POPULAR, write_items
from tests.serving_index import served

START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def lake(settings: Settings) -> Settings:
    settings.lake.prepare()
    return settings


def test_the_catalogue_is_what_silver_says_with_the_lists_of_its_version(lake: Settings, gold: Gold) -> None:
    write_items(lake, CATALOGUE)
    gold.full({"ann": [("stool", 1.0), ("new", 0.5)]}, POPULAR)
    export.run(lake)
    stock = served(lake).catalogue
    assert set(stock.ids) == {"lamp", "bulb", "cord", "sofa", "stool", "new"}
    number = stock.number["sofa"]
    assert (stock.names[number], stock.category_of("sofa"), stock.price[number]) == ("Soft sofa", "seats", 900.0)
    assert (stock.currencies[number], stock.available[number]) == ("EUR", 0)
    assert stock.first_seen[number] == START.timestamp() * 1000
    assert (stock.names[stock.number["new"]], stock.category_of("new")) == (UNSET, None)
    assert stock.available[stock.number["cord"]] == -1, "nobody said"


def test_a_catalogue_of_an_older_version_has_nothing_in_the_columns_that_came_later(lake: Settings, gold: Gold) -> None:
    write_items(lake, CATALOGUE)
    rows = DeltaTable(lake.lake.table("silver.items")).to_pyarrow_table()
    write_deltalake(
        lake.lake.table("silver.items"), rows.drop_columns("in_catalogue"), mode="overwrite", schema_mode="overwrite"
    )
    gold.full({"ann": [("stool", 1.0)]}, POPULAR)
    export.run(lake)
    assert served(lake).catalogue.category_of("sofa") == "seats"


def test_a_catalogue_that_changed_is_served_though_the_lists_are_the_same(lake: Settings, gold: Gold) -> None:
    write_items(lake, CATALOGUE)
    gold.full({"ann": [("stool", 1.0)]}, POPULAR)
    assert export.run(lake).details["version"] == 1
    assert export.run(lake).details["kind"] == "nothing new"
    write_items(
        lake, [*CATALOGUE[:3], ("sofa", "Soft sofa", "seats", "800.00", True), ("rug", "Red rug", "floor", "9", True)]
    )
    report = export.run(lake)
    assert (report.details["version"], report.details["kind"], report.written) == (2, "incremental", 2)  # facts and ids
    stock = served(lake).catalogue
    assert (stock.price[stock.number["sofa"]], stock.available[stock.number["sofa"]]) == (800.0, 1)
    assert stock.category_of("rug") == "floor"
    assert export.run(lake).details["kind"] == "nothing new"


def test_a_changed_catalogue_does_not_undo_a_rollback(lake: Settings, gold: Gold) -> None:
    write_items(lake, CATALOGUE)
    for model in ("1", "2"):
        gold.full({"ann": [("stool", 1.0)]}, POPULAR, model=model)
        export.run(lake)
    export.rollback(lake)
    write_items(lake, CATALOGUE[:2])
    assert export.run(lake).details["kind"] == "rolled back"
    assert served(lake).model_version == "1"


def test_items_that_no_list_names_are_ordered_by_how_much_they_are_used(
    lake: Settings, gold: Gold, write_interactions: WriteInteractions
) -> None:
    # half-life 14 days, newest day 14: an old 4.0 counts 2.0
    pairs = [("ann", "old", 4.0, 0, 0), ("bob", "new", 3.0, 14, 14), ("eve", "top", 1.0, 14, 14)]
    write_interactions(lake.lake.root, pairs)
    gold.full({}, [("top", 1.0)])
    export.run(lake)
    loaded = served(lake)
    stock = loaded.catalogue
    assert [stock.ids[number] for number in loaded.by_popularity] == ["top", "new", "old"]
    assert stock.strength[[stock.number["new"], stock.number["old"]]].tolist() == pytest.approx([3.0, 2.0])


def test_what_people_use_next_is_exported_with_the_lists_and_goes_before_what_is_alike(
    lake: Settings, gold: Gold, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    gold.full({}, POPULAR, {"lamp": [("bulb", 0.9)], "sofa": [("stool", 0.9)]}, after={"lamp": [("sofa", 3.0)]})
    export.run(lake)
    person = profile.visitor_key("default", "v")
    actions = [Action(1_000, 1, 2, "lamp"), Action(999, 2, 2, "sofa")]
    open_profiles(lake).merge({person: actions})
    loaded = served(lake)
    visitors = VisitorLookup(lake, ServingMetrics())
    known = asyncio.run(visitors.known(loaded, Who("default", "v", None), 2_000))
    assert [[loaded.catalogue.ids[number] for number in items] for items in known.similar] == [["sofa"], ["stool"]]


def test_item_vectors_come_with_their_version_and_items_that_no_list_names(lake: Settings, gold: Gold) -> None:
    gold.full({"ann": [("stool", 1.0)]}, POPULAR, vectors={"stool": [0.5, -1.0], "rare": [2.0, 0.0]})
    export.run(lake)
    loaded = served(lake)
    assert loaded.vectors is not None
    number = loaded.catalogue.numbers(["stool", "rare", "lamp"])
    whole = loaded.vectors.direction[number] * loaded.vectors.length[number, None]
    assert whole.round(3).tolist() == [[0.5, -1.0], [2.0, 0.0], [0.0, 0.0]]
    gram = np.linalg.inv(loaded.vectors.inverse) - loaded.vectors.about.regularization * np.eye(2)
    np.testing.assert_allclose(gram, [[4.25, -0.5], [-0.5, 1.0]])
    gold.full({"ann": [("stool", 1.0)]}, POPULAR)
    export.run(lake)
    assert served(lake).vectors is None


def event(kind: str, visitor: str, minute: float, **more: Any) -> dict[str, Any]:
    return {
        "site": "default",
        "event": kind,
        "visitor_id": visitor,
        "event_id": f"{visitor}-{minute}",
        "occurred_at": START + timedelta(minutes=minute),
        **more,
    }


def test_transitions_are_counted_within_sessions_and_the_last_act_leaves(lake: Settings, gold: Gold) -> None:
    said = [
        event("view_item", "a", 0),
        event("scroll", "a", 1),
        event("add_to_cart", "a", 2),
        event("view_item", "a", 60),  # another session
        event("purchase", "b", 200),  # the newest: nobody knows yet whether b leaves
    ]
    table_rows.write(lake.lake, "silver.events", said)
    gold.full({}, POPULAR)
    export.run(lake)
    counts = msgspec.msgpack.decode(kv.open_table(lake).snapshot().get_many([TRANSITIONS])[0] or b"")
    assert counts == [
        ["", "view", "add_to_cart", 1],
        ["", "view", "leave", 1],
        ["view", "add_to_cart", "leave", 1],
    ]


def with_gap(lake: Settings, minutes: int) -> Settings:
    """The site of the lists with a gap of its own."""
    return msgspec.structs.replace(lake, sessions=msgspec.structs.replace(lake.sessions, gaps={"default": minutes}))


def test_transitions_are_counted_by_the_gap_of_the_site(lake: Settings, gold: Gold) -> None:
    said = [event("view_item", "a", 0), event("add_to_cart", "a", 40), event("view_item", "b", 60)]
    table_rows.write(lake.lake, "silver.events", said)
    [encoded] = [value for key, value in behaviour_counts.entries(with_gap(lake, 45), "default") if key == TRANSITIONS]
    assert msgspec.msgpack.decode(encoded) == [["", "view", "add_to_cart", 1]]
    [encoded] = [value for key, value in behaviour_counts.entries(with_gap(lake, 45), "other") if key == TRANSITIONS]
    assert msgspec.msgpack.decode(encoded) == []


def test_the_open_session_is_that_of_the_gap_of_the_visitors_site(
    lake: Settings, gold: Gold, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    gold.full({}, POPULAR)
    export.run(lake)
    minute = 60_000
    for site in ("default", "other"):
        actions = [Action(at * minute, at, 2, "lamp") for at in (1, 41)]
        open_profiles(lake).merge({profile.visitor_key(site, "v"): actions})
    settings = with_gap(lake, 45)
    visitors = VisitorLookup(settings, ServingMetrics())
    for site, views in (("default", 2), ("other", 1)):
        who = Who(site, "v", None)
        known = asyncio.run(visitors.known(served(lake), who, 42 * minute))
        assert known.features.session == {"view_item": views}
        context = AnswerContext(settings, served(lake), who, known, 42 * minute, Assignments((), {}))
        assert len(context.session()) == views


def test_the_chance_of_a_purchase_comes_with_the_lists(lake: Settings, gold: Gold) -> None:
    table_rows.write(lake.lake, "silver.events", [event("view_item", "a", 0)])
    visit = {"site": "default", "visitor_id": "a", "started_at": START, "ended_at": START, "is_overlong": False}
    table_rows.write(
        lake.lake,
        "silver.sessions",
        [visit | {"item_views": 1, "carts": bought, "purchases": bought} for bought in (0, 1)],
    )
    gold.full({}, POPULAR)
    export.run(lake)
    assert served(lake).conversion == ConversionRates((2, 2, 0, 0, 1), (1, 1, 0, 0, 1))


def test_queries_are_suggested_once_enough_visitors_asked_them(lake: Settings, gold: Gold) -> None:
    said = [event("search", f"v{n}", n, query=" Desk Lamp ") for n in range(3)]
    said += [event("search", "me", n, query="my own name") for n in range(10, 20)]
    table_rows.write(lake.lake, "silver.events", said)
    gold.full({}, POPULAR)
    export.run(lake)
    queries = msgspec.msgpack.decode(kv.open_table(lake).snapshot().get_many([QUERIES])[0] or b"")
    assert queries == [["desk lamp", 3]]


def test_the_click_model_of_the_lake_goes_along(lake: Settings, gold: Gold) -> None:
    model = ctr.CtrModel(version="3", intercept=-2.0, coefficients={"similar": 1.5})
    files.write(ctr.address(lake.lake), ctr.encode(model))
    gold.full({}, POPULAR)
    export.run(lake)
    assert served(lake).ctr == model
    assert export.run(lake).details["kind"] == "nothing new"
    newer = msgspec.structs.replace(model, version="4")
    files.write(ctr.address(lake.lake), ctr.encode(newer))
    assert export.run(lake).details["kind"] == "incremental", "it goes out though the lists are the same"
    assert served(lake).ctr == newer


def test_a_click_model_that_is_damaged_stops_the_export_and_not_the_answers(lake: Settings, gold: Gold) -> None:
    gold.full({}, POPULAR)
    export.run(lake)
    files.write(ctr.address(lake.lake), b"{")
    gold.full({}, POPULAR, model="2")
    with pytest.raises(ModelError, match="Train it anew"):
        export.run(lake)
    assert served(lake).model_version == "1"


def test_what_is_recommendable_is_the_catalogue_or_without_one_what_people_used(
    lake: Settings, gold: Gold, write_interactions: WriteInteractions
) -> None:
    def recommendable() -> dict[str, bool]:
        export.run(lake, full=True)
        stock = served(lake).catalogue
        return {item: bool(stock.recommendable[number]) for item, number in stock.number.items()}

    seen = dict.fromkeys(("first_seen", "last_seen"), START) | {"site": "default"}
    baits = [seen | {"item_id": "bot-bait", "in_catalogue": False}, seen | {"item_id": "used", "in_catalogue": False}]
    table_rows.write(lake.lake, "silver.items", baits)
    write_interactions(lake.lake.root, [("ann", "used", 1.0, 0, 0)])
    gold.full({}, [("used", 1.0)])
    assert recommendable() == {"used": True, "bot-bait": False}
    table_rows.write(lake.lake, "silver.items", [seen | {"item_id": "lamp", "in_catalogue": True}])
    assert recommendable() == {"used": False, "bot-bait": False, "lamp": True}


def test_what_people_bought_and_viewed_is_known_without_a_collector_and_recommend_keeps_the_rules(
    lake: Settings, gold: Gold
) -> None:
    def pair(item: str, day: int, **counts: int) -> dict[str, Any]:
        nothing = dict.fromkeys(("views", "clicks", "carts", "purchases", "plays"), 0)
        at = dict.fromkeys(("first_at", "last_at"), START + timedelta(days=day))
        return {"site": "default", "person_id": "ann", "item_id": item} | nothing | at | counts

    write_items(lake, CATALOGUE)
    pairs = [pair("lamp", 1, purchases=1, views=2), pair("bulb", 2, purchases=1), pair("cord", 3, carts=1)]
    table_rows.write(lake.lake, "gold.interactions", pairs)
    gold.full({"ann": [("sofa", 0.9), ("stool", 0.5)]}, POPULAR)
    export.run(lake)
    loaded = served(lake)
    known = asyncio.run(VisitorLookup(lake).known(loaded, Who("default", None, "ann"), 2_000))
    bought, viewed = ([loaded.catalogue.ids[number] for number in numbers] for numbers in (known.bought, known.seen))
    assert (bought, viewed) == (["bulb", "lamp"], ["lamp"])

    answer = ruled_lists.of_person(lake, "ann", 9)  # the sofa is sold out, lamp and bulb were bought
    assert [(item.rank, item.item_id) for item in answer.items] == [(1, "stool"), (2, "cord")]
    assert (answer.source, [item.item_id for item in ruled_lists.of_person(lake, "zoe", 2).items]) == (
        "model",
        ["lamp", "bulb"],
    )
    assert "lamp" not in [item.item_id for item in ruled_lists.similar_to(lake, "lamp", 9).items]


def test_an_update_brings_the_history_of_whom_it_changes(lake: Settings, gold: Gold) -> None:
    def bought() -> int | None:
        export.run(lake)
        (value,) = kv.open_table(lake).snapshot().get_many([history_key("ann")])
        return len(decode_history(value).bought) // 4 if value is not None else None

    pair = {"site": "default", "person_id": "ann", "item_id": "lamp"}
    table_rows.write(lake.lake, "gold.interactions", [pair])
    gold.full({name: [("stool", 0.5)] for name in ("ann", "bob", "eve")}, POPULAR)
    assert bought() == 1
    table_rows.write(lake.lake, "gold.interactions", [pair | {"item_id": "bulb"}])
    gold.update({"ann": [("stool", 0.5)]})
    assert bought() == 2
    gold.update({}, removed=["ann"])
    assert bought() is None
