"""No event's numbers stop a job: each column at its limits goes through every table, and what lies beyond is set aside."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from pyspark.sql import SparkSession

from nextclick.contracts import silver
from nextclick.settings import Settings
from spark_jobs.transforms.silver.validate_events import RANGES
from tests.spark.conftest import Land, new_events
from tests.spark.path import rows, run_jobs

pytestmark = pytest.mark.spark

LARGEST_PRICE = Decimal("99999999999999.9999")
BEYOND: tuple[dict[str, Any], ...] = (
    {"event": "engagement", "dwell_ms": (1 << 63) - 1},
    {"event": "engagement", "dwell_ms": silver.DWELL_MS + 1},
    {"event": "engagement", "dwell_ms": -1},
    {"event": "purchase", "item_id": "lamp", "price": "1", "quantity": 1_000_001, "currency": "EUR"},
    {"event": "purchase", "item_id": "lamp", "price": "1", "quantity": (1 << 31) - 1, "currency": "EUR"},
)
"""Of each another event, that no table could add up for long."""


def twice(make: Callable[..., dict[str, Any]], minute: float, **fields: Any) -> list[dict[str, Any]]:
    return [make(minute, **fields), make(minute + 1, **fields)]


def test_every_number_has_both_limits_or_a_type_that_is_one() -> None:
    numbers = {column.name: column for column in silver.EVENTS.columns if column.type in ("int", "bigint", "double")}
    only_named = {"payload_hash", "position"}  # a hash and a place: grouped by, never added up
    assert {name for name in numbers if None in RANGES.get(name, (None, None))} == only_named


def test_each_column_at_its_limits_goes_through_every_table(
    spark: SparkSession, settings: Settings, land: Land
) -> None:
    event = new_events()
    good = event(0, event="view_item", visitor_id="good", item_id="lamp")
    rich = {
        "event": "purchase",
        "visitor_id": "rich",
        "item_id": "lamp",
        "price": str(LARGEST_PRICE),
        "currency": "EUR",
    }
    at_limits = [
        *twice(event, 1, event="engagement", visitor_id="rich", dwell_ms=silver.DWELL_MS, scroll_pct=100),
        *twice(event, 3, **rich, quantity=1_000_000, position=(1 << 31) - 1, propensity=1, request_id="r"),
        event(2, event="served", visitor_id="rich", request_id="r", properties={"items": "[]"}),
    ]
    beyond = [event(5 + number, visitor_id="bad") | fields for number, fields in enumerate(BEYOND)]
    land([good, *at_limits, *beyond])
    run_jobs(spark, settings)
    refused = rows(spark, settings, "silver.quarantine")
    assert sorted(row.reason for row in refused) == ["out_of_range"] * len(BEYOND)

    sessions = {row.visitor_id: row for row in rows(spark, settings, "silver.sessions")}
    assert set(sessions) == {"good", "rich"}
    paid = LARGEST_PRICE * 1_000_000 * 2
    assert (sessions["rich"].engaged_ms, sessions["rich"].revenue) == (2 * silver.DWELL_MS, {"EUR": paid})
    [day] = rows(spark, settings, "gold.item_daily")
    assert (day.views, day.revenue) == (1, {"EUR": paid})
    assert sum(row.sessions for row in rows(spark, settings, "gold.traffic_daily")) == 2
