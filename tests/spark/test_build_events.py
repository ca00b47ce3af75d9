"""From landed lines to silver and quarantine: each bad thing is one row with its reason, and the rest goes on."""

from collections.abc import Callable
from typing import Any

import pytest
from pyspark.sql import SparkSession

from nextclick.settings import Settings
from nextclick.tables import bronze, silver
from spark_jobs import tables
from spark_jobs.jobs import build_events, ingest_events, ingest_rejects
from tests.spark.conftest import RECEIVED, Land

pytestmark = pytest.mark.spark

Event = Callable[..., dict[str, Any]]
DAY = 86_400_000


@pytest.fixture
def build(spark: SparkSession, settings: Settings) -> Callable[[], Any]:
    """Bring what has landed to silver; gives the report of build_events."""

    def run() -> Any:
        ingest_events.run(spark, settings)
        ingest_rejects.run(spark, settings)
        return build_events.run(spark, settings)

    return run


def test_each_poison_row_is_one_quarantine_row_with_its_reason(
    spark: SparkSession, settings: Settings, land: Land, event: Event, build: Callable[[], Any]
) -> None:
    deep = (
        b'{"event":"x","event_id":"d","client_time":1,"visitor_id":"v","properties":'
        + b'{"a":' * 5000
        + b"1"
        + b"}" * 5001
    )
    poison: dict[str, Any] = {
        "malformed_json": [b"not json", b"[1,2]", b'{"event":"cut', deep],
        "missing_field": [event(event_id=None), event(visitor_id=None), event(visitor_id=""), event(event=None)],
        "bad_type": [
            event(price="NaN"),
            event(price="1e400"),
            event(quantity="many"),
            event(client_time="yesterday"),
            event(dwell_ms=10**30),
            event(scroll_pct="Infinity"),
            event(properties=[1]),
        ],
        "bad_text": [
            event(name="a\x00b"),
            b'{"event":"page_view","event_id":"s","client_time":1,"visitor_id":"\\ud800"}',
        ],
        "too_long": [event(event_id="x" * 300), event(query="q" * 5000)],
        "too_many_properties": [event(properties={f"p{n}": "1" for n in range(300)})],
        "out_of_range": [event(price="-1"), event(quantity=-2), event(scroll_pct=101)],
        "impossible_time": [event(client_time=-1)],
        "future_time": [event(client_time=RECEIVED + 400 * DAY)],
    }
    land([event(), *(row for rows in poison.values() for row in rows), event(name="back\\u0000slash")])

    report = build()

    reasons = tables.read(spark, settings.lake, silver.QUARANTINE).groupBy("reason").count().collect()
    assert {row.reason: row["count"] for row in reasons} == {reason: len(rows) for reason, rows in poison.items()}
    assert tables.read(spark, settings.lake, silver.EVENTS).count() == 2
    assert (report.written, report.rejected, report.duplicate) == (2, sum(map(len, poison.values())), 0)


def test_copies_are_dropped_for_ever_and_another_payload_is_kept_aside(
    spark: SparkSession, settings: Settings, land: Land, event: Event, build: Callable[[], Any]
) -> None:
    first = event(event_id="a", item_id="1", properties={"x": "1", "y": "2"})
    land([first, first | {"sent_at": RECEIVED}])
    build()
    land([first | {"properties": {"y": "2", "x": "1"}}, first | {"item_id": "2"}, first | {"site": "other"}])
    report = build()

    rows = tables.read(spark, settings.lake, silver.EVENTS).orderBy("site").collect()
    assert [(row.site, row.item_id, row.seq.batch, row.seq.position) for row in rows] == [
        ("default", "1", 0, 0),
        ("other", "1", 1, 2),
    ]
    assert [row.reason for row in tables.read(spark, settings.lake, silver.QUARANTINE).collect()] == ["id_collision"]
    assert (report.written, report.rejected, report.duplicate) == (1, 1, 1)


def test_a_field_that_nobody_knows_is_kept_in_properties(
    spark: SparkSession, settings: Settings, land: Land, event: Event, build: Callable[[], Any]
) -> None:
    land([event(shelf={"row": 3}, properties={"colour": "red"}), event(properties={"a": "b"}), event(item_id=None)])
    build()
    rows = tables.read(spark, settings.lake, silver.EVENTS).orderBy("seq").collect()
    assert [row.properties for row in rows] == [{"colour": "red", "shelf": '{"row":3}'}, {"a": "b"}, None]


def test_plain_words_become_canonical_and_a_user_stands_for_a_missing_visitor(
    spark: SparkSession, settings: Settings, land: Land, event: Event, build: Callable[[], Any]
) -> None:
    land([event(event="view_product", visitor_id=None, user_id="u", price="19.99", currency="EUR")])
    build()
    [row] = tables.read(spark, settings.lake, silver.EVENTS).collect()
    assert (row.event, row.visitor_id, row.user_id) == ("view_item", "u", "u")
    assert (str(row.price), row.site) == ("19.9900", "default")


def test_a_damaged_line_is_quarantined_once_and_the_batch_goes_on(
    spark: SparkSession, settings: Settings, land: Land, event: Event, build: Callable[[], Any]
) -> None:
    land([event(name="whole"), event(name="flipped"), event(name="torn")])
    [segment] = settings.lake.landing.glob("*.log")
    segment.write_bytes(segment.read_bytes().replace(b"flipped", b"flippee")[:-20] + b"\n\n\nx\nx\n")
    build()
    quarantined = tables.read(spark, settings.lake, silver.QUARANTINE).collect()
    assert [(row.reason, row.replayable) for row in quarantined] == [("damaged_line", False)] * 6
    assert len({row.seq for row in quarantined}) == 6
    assert tables.read(spark, settings.lake, silver.EVENTS).select("name").collect() == [("whole",)]


def test_rejects_of_the_door_are_visible_with_their_reason(
    spark: SparkSession, settings: Settings, land: Land, build: Callable[[], Any]
) -> None:
    land([{"reason": "bad_row", "message": "clicks.csv:3: no time", "payload": "a,b,,d"}], log="quarantine")
    build()
    [row] = tables.read(spark, settings.lake, silver.QUARANTINE).collect()

    assert (row.origin, row.reason, row.message) == ("door", "bad_row", "clicks.csv:3: no time")
    assert (row.payload, row.replayable) == ("a,b,,d", True)


def test_bronze_holds_each_line_with_its_place_and_its_arrival(
    spark: SparkSession, settings: Settings, land: Land, event: Event
) -> None:
    land([event(), event()])
    ingest_events.run(spark, settings)
    land([event()], received=RECEIVED + 1)
    ingest_events.run(spark, settings)
    rows = tables.read(spark, settings.lake, bronze.EVENTS).orderBy("seq").collect()
    assert [(row.seq.batch, row.seq.position) for row in rows] == [(0, 0), (0, 1), (1, 0)]
    assert rows[2].received_at.timestamp() * 1000 == RECEIVED + 1
    assert {row.source for row in rows} == {"plain"}
