"""Price drops and returns to stock, from the change feed of silver.items to whom they are told."""

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from nextclick.contracts import silver
from nextclick.lake import commits, delta, duck
from nextclick.lake.day_changes import cursor_at
from nextclick.lake.paths import Lake, lake_at
from tests.table_rows import arrow, write
from tests.trigger_lake import event, minutes, settings_of, trigger, write_events
from triggers.look import look
from triggers.occasions import item_feed, occasions
from triggers.occasions.item_feed import ItemChange
from triggers.occasions.looking import Looking
from triggers.outbox.outbox import Outbox
from triggers.outbox.schema import ms


def item(
    name: str, price: float | None, minute: float, available: bool = True, currency: str = "EUR"
) -> dict[str, Any]:
    stamp = {"at": minutes(minute), "id": f"record at {minute}"}
    latest: Mapping[str, Any] = {
        "price": stamp | {"value": {"price": price, "currency": currency}},
        "available": stamp | {"value": available},
    }
    return {
        "site": "default",
        "item_id": name,
        "price": price,
        "currency": currency,
        "available": available,
        "latest": latest,
    }


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """Items of the time AT, with the change feed that the contract wants."""
    lake = lake_at(tmp_path)
    configuration = {"delta.enableChangeDataFeed": str(silver.ITEMS.change_feed).lower()}
    write(
        lake,
        "silver.items",
        [item("lamp", 100, 0), item("rug", 50, 0), item("mug", 9, 0, available=False)],
        configuration=configuration,
    )
    return lake


def become(lake: Lake, *items: dict[str, Any]) -> None:
    commits.merge(lake, silver.ITEMS, arrow("silver.items", items), None)


def changes(lake: Lake) -> list[ItemChange]:
    """All that the feed says from the table's first version on."""
    table = delta.require(lake, "silver.items")
    return item_feed.read(lake, cursor_at(delta.require(lake, "silver.items", 0))).changes if table.version() else []


def due(lake: Lake, minute: float, kind: str, **more: Any) -> list[tuple[str, str, Any]]:
    with duck.answering(lake, "who is due") as database:
        occasions_then = occasions(
            Looking(database, settings_of(Path(lake.root)), minutes(minute), tuple(changes(lake))),
            trigger(kind, **more),
        )
    return [(each.person_id, each.items[0], each.prices) for each in occasions_then]


def test_the_feed_begins_where_it_is_first_looked_at(lake: Lake) -> None:
    become(lake, item("lamp", 80, 1))
    read = item_feed.read(lake, None)
    assert read.changes == []
    assert item_feed.read(lake, read.cursor) == read
    become(lake, item("lamp", 70, 2))
    assert [(each.old_price, each.new_price) for each in item_feed.read(lake, read.cursor).changes] == [
        ("80.0000", "70.0000")
    ]


def test_each_version_counts_by_itself_however_many_are_read_together(lake: Lake) -> None:
    become(lake, item("lamp", 80, 1), item("rug", 50, 1))
    become(lake, item("lamp", 90, 2), item("rug", 40, 2, currency="USD"))
    become(lake, item("lamp", 60, 3), item("mug", 9, 3))
    assert [(each.item_id, each.kind, each.at, each.old_price, each.new_price) for each in changes(lake)] == [
        ("lamp", "price_drop", minutes(1), "100.0000", "80.0000"),
        ("lamp", "price_drop", minutes(3), "90.0000", "60.0000"),
        ("mug", "back_in_stock", minutes(3), None, "9.0000"),
    ]


def test_a_table_that_is_made_anew_with_the_same_items_says_nothing(lake: Lake) -> None:
    write(
        lake,
        "silver.items",
        [item("rug", 50, 0), item("lamp", 100, 0), item("mug", 9, 0, available=False)],
        mode="overwrite",
    )
    assert changes(lake) == []


def test_who_viewed_it_and_did_not_buy_since_is_told_of_a_lower_price(lake: Lake) -> None:
    write_events(
        lake,
        [
            event("viewed", "view_item", -10, "lamp"),
            event("long_ago", "view_item", -31 * 1440, "lamp"),
            event("bought", "view_item", -10, "lamp"),
            event("bought", "purchase", -5, "lamp", price=Decimal(100)),
            event("again", "purchase", -20, "lamp"),
            event("again", "view_item", -5, "lamp"),
            event("another", "view_item", -10, "rug"),
            event("later", "view_item", 5, "lamp"),
        ],
    )
    become(lake, item("lamp", 80, 1), item("rug", 48, 1))
    assert due(lake, 10, "price_drop") == [
        ("visitor:again", "lamp", ("100.0000", "80.0000", "EUR")), ("visitor:viewed", "lamp", ("100.0000", "80.0000", "EUR")),
    ]  # fmt: skip
    assert due(lake, 10, "price_drop", when={"least_percent": 21}) == []
    assert due(lake, 24 * 60 + 2, "price_drop") == []  # too late


def test_a_price_that_rose_again_is_nobodys_occasion(lake: Lake) -> None:
    write_events(lake, [event("v", "view_item", -10, "lamp")])
    become(lake, item("lamp", 80, 1))
    become(lake, item("lamp", 99, 2))
    assert due(lake, 10, "price_drop") == []


def test_who_viewed_what_was_gone_is_told_of_its_return(lake: Lake) -> None:
    write_events(lake, [event("v", "view_item", -10, "mug")])
    become(lake, item("mug", 9, 1))
    assert due(lake, 10, "back_in_stock") == [("visitor:v", "mug", None)]
    become(lake, item("mug", 9, 2, available=False))
    assert due(lake, 10, "back_in_stock") == []


def test_what_a_look_read_of_the_feed_is_kept_for_those_that_follow(lake: Lake) -> None:
    """The message waits for the end of the quiet hours; by then the feed is read, and the outbox knows."""
    write_events(lake, [event("v", "view_item", -10, "lamp")])
    settings, rule = (
        settings_of(lake.root),
        trigger("price_drop", quiet=("12:00", "13:00"), message={"s": "$old_price → $new_price $currency"}),
    )
    for minute, change in ((0, None), (5, item("lamp", 80, 1)), (20, item("rug", 40, 20)), (61, None)):
        if change:
            become(lake, change)
        outbox = Outbox.of(lake)
        decided = look(settings, outbox, [rule], minutes(minute), minutes(minute))
        assert dict(decided) == ({"waiting": 1} if minute == 61 else {})
        assert len(outbox.item_changes()) == {0: 0, 5: 1, 20: 2, 61: 2}[minute]
        if minute == 61:
            [waiting] = outbox.claim("w", ms(minutes(61)), ms(minutes(62)), 9)
            assert b"100.00 \xe2\x86\x92 80.00 EUR" in (waiting.payload or b"")
        outbox.close()
