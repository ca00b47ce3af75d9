"""From landed lines to silver and quarantine: each bad thing is one row with its reason, and the rest goes on.

One lake is built in two batches, from everything that the tests want to see; each test looks at its own rows.
"""

import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import Row, SparkSession

from nextclick.lake import delta
from nextclick.report import JobReport
from nextclick.settings import Settings, load
from spark_jobs.jobs import build_events, ingest_events, ingest_rejects
from spark_jobs.plans import held
from tests.spark import path
from tests.spark.conftest import RECEIVED, new_events, publish

pytestmark = pytest.mark.spark

DAY = 86_400_000
event = new_events()
DEEP = (
    b'{"event":"x","event_id":"d","client_time":1,"visitor_id":"v","properties":' + b'{"a":' * 5000 + b"1" + b"}" * 5001
)
POISON: dict[str, list[Any]] = {
    "malformed_json": [b"not json", b"[1,2]", b'{"event":"cut', DEEP],
    "missing_field": [event(event_id=None), event(visitor_id=None), event(visitor_id=""), event(event=None)],
    "bad_type": [
        event(price="NaN"),
        event(price="1e400"),
        event(quantity="many"),
        event(client_time="yesterday"),
        event(client_time=10**17),
        event(occurred_at=10**17),
        event(sent_at=-(10**17)),
        event(dwell_ms=10**30),
        event(scroll_pct="Infinity"),
        b'{"event":"scroll","event_id":"i","client_time":1,"visitor_id":"v","scroll_pct":1e400}',
        b'{"event":"scroll","event_id":"n","client_time":1,"visitor_id":"v","scroll_pct":NaN}',
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
COPIED = event(site="copies", event_id="a", item_id="1", properties={"x": "1", "y": "2"})


@dataclass
class Built:
    """What two batches gave."""

    bronze: list[Row]
    silver: list[Row]
    quarantine: list[Row]
    reports: list[JobReport]
    """The third run's is of nothing new."""
    files: dict[str, int]
    """Of two tables, whose second batch joined files."""

    def site(self, name: str) -> list[Row]:
        """Silver's events of one site, as they arrived."""
        return sorted((row for row in self.silver if row.site == name), key=lambda row: row.seq)


@pytest.fixture(scope="module", params=[-1, 1 << 20], ids=["cached", "held by the plan"])
def built(
    request: pytest.FixtureRequest,
    ingested: tuple[Path, Path],
    spark: SparkSession,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Built]:
    """As batches of many rows are built, and as those of few."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(held, "_FEW_BYTES", request.param)
        yield _build(spark, _load(tmp_path_factory.mktemp("built")), *ingested)


def _load(folder: Path) -> Settings:
    every_second = {"NEXTCLICK_STREAMING__COMPACT_BATCHES": "2"}
    return load(folder / "lake", profile="test", environ=every_second)


@pytest.fixture(scope="module")
def ingested(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The lake after each of two batches of bronze, to be built in a copy."""
    settings = _load(tmp_path_factory.mktemp("ingested"))
    settings.lake.prepare()
    publish(settings, [event(site="damaged", name=name) for name in ("whole", "flipped", "torn")])
    [segment] = settings.lake.landing.glob("*.log")
    segment.write_bytes(segment.read_bytes().replace(b"flipped", b"flippee")[:-20] + b"\n\n\nx\nx\n")
    publish(settings, [row for rows in POISON.values() for row in rows])
    publish(settings, [COPIED, COPIED | {"sent_at": RECEIVED, "ip": "198.51.0.0"}])
    publish(
        settings,
        [
            event(site="drift", shelf={"row": 3}, properties={"colour": "red"}),
            event(site="drift", properties={"a": "b"}, item_id=None),
            event(site="drift", item_id=None),
            event(site="drift", properties='{"size":"xl"}'),
            event(site="drift", quantity="2", price=7, shelf="top"),
            event(site="words", event="view_product", visitor_id=None, user_id="u", price="19.99", currency="EUR"),
            event(site="numbers", visitor_id="4242"),
            event(site="numbers", visitor_id=None, user_id="4242", event_id="mail"),
            event(site="numbers", visitor_id="4242", user_id="4242", event_id="mail"),
            event(name="back\\u0000slash"),
            event(site="clock", client_time=60_000, occurred_at=RECEIVED),
        ],
    )
    door = {"reason": "bad_row", "message": "clicks.csv:3: no time", "payload": "a,b,,d"}
    publish(settings, [door], log="quarantine")
    ingest_events.run(spark, settings)
    first = Path(shutil.copytree(settings.lake.root, tmp_path_factory.mktemp("first") / "lake"))
    again = COPIED | {"properties": {"y": "2", "x": "1"}}
    publish(settings, [again, COPIED | {"item_id": "2"}, COPIED | {"site": "later"}], received=RECEIVED + 1)
    ingest_events.run(spark, settings)
    return first, settings.lake.root


def _build(spark: SparkSession, settings: Settings, first: Path, second: Path) -> Built:
    reports, files = [], {}
    for stage in (first, second, second):
        shutil.copytree(stage, settings.lake.root, dirs_exist_ok=True)
        ingest_rejects.run(spark, settings)
        reports.append(build_events.run(spark, settings))
    for name in ("bronze.events", "silver.events"):
        files[name] = len(delta.require(settings.lake, name).file_uris())
    bronze, silver, quarantine = (
        path.rows(settings, name) for name in ("bronze.events", "silver.events", "silver.quarantine")
    )
    return Built(bronze, silver, quarantine, reports, files)


def test_each_poison_row_is_one_quarantine_row_with_its_reason(built: Built) -> None:
    reasons = Counter(row.reason for row in built.quarantine if row.origin == "silver")
    expected = {reason: len(rows) for reason, rows in POISON.items()}
    assert reasons == expected | {"damaged_line": 6, "id_collision": 1}
    assert all(row.payload for row in built.quarantine if row.reason != "damaged_line")
    assert [row.name for row in built.site("default")] == ["back\\u0000slash"]


def test_reports_say_where_every_row_went(built: Built) -> None:
    poison = sum(map(len, POISON.values()))
    found = [(one.read, one.written, one.rejected, one.duplicate) for one in built.reports[:2]]
    assert found == [(poison + 20, 12, poison + 6, 2), (3, 1, 1, 1)]


def test_a_clock_that_began_in_1970_costs_no_event_whose_time_was_corrected(built: Built) -> None:
    [row] = built.site("clock")
    assert row.occurred_at == row.received_at


def test_files_that_are_joined_hold_the_same_rows_and_do_not_stream_again(built: Built) -> None:
    assert built.files == {"bronze.events": 1, "silver.events": 1}
    again = built.reports[2]
    assert (again.read, again.written, again.rejected, again.duplicate) == (0, 0, 0, 0)


def test_copies_are_dropped_for_ever_and_another_payload_is_kept_aside(built: Built) -> None:
    [first] = built.site("copies")
    [later] = built.site("later")
    assert (first.item_id, first.seq.batch, first.seq.position) == ("1", 0, 0)
    assert (later.item_id, later.seq.batch, later.seq.position) == ("1", 1, 2)
    [collision] = [row for row in built.quarantine if row.reason == "id_collision"]
    assert '"item_id":"2"' in collision.payload
    assert "site copies, event_id a" in collision.message


def test_a_field_that_is_new_gone_or_of_another_type_loses_nothing(built: Built) -> None:
    new, gone, bare, as_text, retyped = built.site("drift")
    assert new.properties == {"colour": "red", "shelf": '{"row":3}'}
    assert (gone.item_id, gone.properties) == (None, {"a": "b"})
    assert (bare.item_id, bare.properties) == (None, None)
    assert as_text.properties == {"size": "xl"}
    assert (retyped.quantity, str(retyped.price)) == (2, "7.0000")
    assert retyped.properties == {"shelf": "top"}


def test_plain_words_become_canonical_and_an_account_stands_for_a_missing_visitor(built: Built) -> None:
    [row] = built.site("words")
    assert (row.event, row.visitor_id, row.user_id) == ("view_item", " user:u", "u")
    assert str(row.price) == "19.9900"


def test_a_visitor_and_a_user_of_one_number_are_two_and_an_event_keeps_the_hash_that_it_had(built: Built) -> None:
    """An older version put the user's id for a visitor: what it took comes again as a copy."""
    rows = built.site("numbers")
    assert {(row.visitor_id, row.user_id) for row in rows} == {("4242", None), (" user:4242", "4242")}


def test_a_damaged_line_is_quarantined_once_and_the_batch_goes_on(built: Built) -> None:
    """A flipped bit, a torn end, and whole lines of rubbish: three empty ones' worth and two equal ones."""
    damaged = [row for row in built.quarantine if row.reason == "damaged_line"]
    assert not any(row.replayable for row in damaged)
    assert len({row.seq for row in damaged}) == 6
    assert [row.name for row in built.site("damaged")] == ["whole"]


def test_rejects_of_the_door_are_visible_with_their_reason(built: Built) -> None:
    [row] = [row for row in built.quarantine if row.origin == "door"]
    assert (row.reason, row.message) == ("bad_row", "clicks.csv:3: no time")
    assert (row.payload, row.replayable) == ("a,b,,d", True)


def test_bronze_holds_each_line_with_its_place_and_its_arrival(built: Built) -> None:
    second = sorted((row for row in built.bronze if row.seq.batch == 1), key=lambda row: row.seq)
    assert [row.seq.position for row in second] == [0, 1, 2]
    assert {row.received_at.timestamp() * 1000 for row in second} == {RECEIVED + 1}
    assert {row.source for row in second} == {"plain"}
    assert len({row.seq for row in built.bronze}) == len(built.bronze) == sum(one.read for one in built.reports)
