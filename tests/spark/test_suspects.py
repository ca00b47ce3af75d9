"""Gold does without what suspects did on their day, where the settings say so, and names the rebuild when they say otherwise."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from pyspark.sql import SparkSession

from nextclick.contracts import silver
from nextclick.errors import LakeError
from nextclick.lake import delta
from nextclick.settings import Settings
from spark_jobs import tables
from spark_jobs.jobs import build_item_daily
from tests.table_rows import NOON, write

pytestmark = pytest.mark.spark


def view(visitor: str, day: int) -> dict[str, Any]:
    at = NOON + timedelta(days=day)
    times = dict.fromkeys(("client_time", "occurred_at", "received_at"), at)
    who = {"site": "s", "visitor_id": visitor, "event_id": f"{visitor} {day}", "event": "view_item", "item_id": "lamp"}
    return who | times | {"channel": "direct"}


def test_what_a_suspect_did_counts_on_other_days_alone(spark: SparkSession, settings: Settings) -> None:
    chosen = msgspec.structs.replace(settings.anomalies, leave_out_suspects=True)
    careful = msgspec.structs.replace(settings, anomalies=chosen)
    write(settings.lake, "silver.user_agents", [{"user_agent": "a browser", "is_bot": False}])
    write(settings.lake, "silver.events", [view(visitor, day) for visitor in ("ann", "bad") for day in (0, 1)])
    write(settings.lake, "gold.suspects", [{"site": "s", "visitor_id": "bad", "date": NOON.date(), "is_suspect": True}])
    build_item_daily.run(spark, careful)

    def rows(table: str, *columns: str) -> list[tuple[Any, ...]]:
        there = delta.require(settings.lake, table).to_pyarrow_table(columns=list(columns))
        return sorted(tuple(row[name] for name in columns) for row in there.to_pylist())

    first, second = NOON.date(), NOON.date() + timedelta(days=1)
    assert rows("gold.item_daily", "date", "views") == [(first, 1), (second, 2)]
    counted = tables.read_counted(spark, careful, silver.EVENTS).select("event_id").collect()
    assert sorted(event for [event] in counted) == ["ann 0", "ann 1", "bad 1"]
    with pytest.raises(LakeError, match=r"leave_out_suspects was True and is False.*`nextclick rebuild gold`"):
        build_item_daily.run(spark, settings)
