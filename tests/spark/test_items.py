"""Items, by rows that a reader checks by eye: whose word counts, and what a word means."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from nextclick.contracts.availability import available_sql, is_unread_sql
from nextclick.settings import Settings
from spark_jobs.jobs import build_items
from tests.spark import path
from tests.spark.conftest import Land, new_events
from tests.table_rows import NOON, write
from tests.unit.nextclick.test_availability import CAN, CANNOT, UNREAD, UNSAID

pytestmark = pytest.mark.spark


def said(minute: int, event: str, **fields: Any) -> dict[str, Any]:
    at = NOON + timedelta(minutes=minute)
    times = dict.fromkeys(("client_time", "occurred_at", "received_at"), at)
    return {"event": event, "event_id": f"e{minute}", "site": "s", "item_id": "a03", **times} | fields


RECORD = said(0, "item_update", name="Item a03", price=Decimal(13), currency="EUR", properties=[("available", "true")])
CUT = said(1, "item_update", price=Decimal(80), currency="EUR", properties=[("available", "ask us")])
STALE = said(6, "view_item", name="NAME FROM A PAGE", category="of a page", price=Decimal(100), currency="EUR")
SHOP = said(5, "purchase", source="ga4", item_id="b", name="by the shop")
PAGE = said(7, "view_item", item_id="b", name="by a page", price=Decimal(2))


@pytest.mark.parametrize("cuts", [[[RECORD, CUT, STALE, SHOP, PAGE]], [[STALE, SHOP], [CUT, PAGE], [RECORD]]])
def test_a_page_never_overrides_the_catalogue_whatever_comes_first(
    spark: SparkSession, settings: Settings, cuts: list[list[dict[str, Any]]]
) -> None:
    settings = msgspec.structs.replace(settings, items=msgspec.structs.replace(settings.items, servers=("ga4",)))
    for cut in cuts:
        write(settings.lake, "silver.events", cut)
        build_items.run(spark, settings)
    a03, b = sorted(path.rows(settings, "silver.items"), key=lambda row: row.item_id)
    assert (a03.name, a03.price, a03.currency, a03.category) == ("Item a03", 80, "EUR", "of a page")
    assert (a03.available, a03.in_catalogue, a03.trusted.name, a03.trusted.category) == (
        True,
        True,
        "catalogue",
        "page",
    )
    assert (b.name, b.price, b.in_catalogue, b.trusted.name) == ("by the shop", 2, False, "server")


def test_words_say_the_same_to_spark(spark: SparkSession) -> None:
    words = [*CAN, *CANNOT, *UNSAID, *UNREAD]
    rows = spark.createDataFrame([(word,) for word in words], "w string").select(
        F.expr(available_sql("w")), F.expr(is_unread_sql("w"))
    )
    groups = ((CAN, True), (CANNOT, False), (UNSAID, None), (UNREAD, None))
    assert [tuple(row) for row in rows.collect()] == [(says, group is UNREAD) for group, says in groups for _ in group]


def test_an_unread_word_is_named_and_a_currency_is_written_in_capitals(
    spark: SparkSession, settings: Settings, land: Land
) -> None:
    event = new_events()
    record = {"event": "item_update", "item_id": "lamp"}
    land(
        [
            event(0, **record, properties={"available": "ask us"}, unread_fields=["price"], currency=" eur "),
            event(1, **record, properties={"available": "sold out"}, currency="Euro (€)"),
            event(2, event="view_item", item_id="a\tb", properties={"available": "ask us"}),
        ]
    )
    path.run_jobs(spark, settings, ("ingest_events", "build_events"))
    rows = sorted(path.rows(settings, "silver.events"), key=lambda row: row.event_id)
    assert [row.unread_fields for row in rows] == [["price", "available"], None, None]
    assert [row.currency for row in rows] == ["EUR", "Euro (€)", None]
    assert [row.item_id for row in rows] == ["lamp", "lamp", "a\tb"]
