"""Every accepted event is in one place; what is on its way is told apart from what is lost."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable

from nextclick.errors import LakeError
from nextclick.landing.writer import SegmentWriter
from nextclick.reconciliation import Reconciliation, reconcile
from nextclick.settings import Settings, load
from tests.table_rows import NOON, seq, write


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = load(tmp_path / "lake", profile="test", environ={})
    settings.lake.prepare()
    return settings


def payload(event_id: str, **fields: Any) -> str:
    return json.dumps({"event_id": event_id, "client_time": int(NOON.timestamp() * 1000), **fields})


def bronze(settings: Settings, positions: Iterable[int], **fields: Any) -> None:
    write(settings.lake, "bronze.events", [{"seq": seq(n), "payload": payload(f"e{n}")} | fields for n in positions])


def silver(settings: Settings, positions: Iterable[int]) -> None:
    rows = [{"seq": seq(n), "event_id": f"e{n}", "site": settings.site, "client_time": NOON} for n in positions]
    write(settings.lake, "silver.events", rows)


def taken(settings: Settings, version: int, index: int = -1) -> None:
    """What Spark leaves in the checkpoint of build_events when the next row to read is there."""
    checkpoint = Path(settings.lake.checkpoint("build_events"))
    bronze_id = str(DeltaTable(settings.lake.table("bronze.events")).metadata().id)
    offset = {"sourceVersion": 1, "reservoirId": bronze_id, "reservoirVersion": version, "index": index}
    for folder, text in (("offsets", f"v1\n{{}}\n{json.dumps(offset)}"), ("commits", "v1\n{}")):
        (checkpoint / folder).mkdir(parents=True, exist_ok=True)
        (checkpoint / folder / "0").write_text(text)


def test_an_empty_lake_has_nothing_to_account_for(settings: Settings) -> None:
    assert reconcile(settings) == Reconciliation()


def test_each_event_is_counted_where_it_is(settings: Settings) -> None:
    bronze(settings, [0, 1, 2])
    bronze(settings, [3], payload=payload("e0"))
    bronze(settings, [4], payload=payload("e9"))
    silver(settings, [0, 1])
    write(settings.lake, "silver.quarantine", [{"seq": seq(2), "origin": "silver"}, {"seq": seq(2), "origin": "door"}])
    found = reconcile(settings)
    assert found == Reconciliation(accepted=5, silver=2, quarantined=1, duplicates=1, residual=1, rejected=1)


@pytest.mark.parametrize("other", [{"site": "elsewhere"}, {"client_time": 5}, {"event_id": "E0"}, {"event_id": None}])
def test_another_identity_is_no_copy(settings: Settings, other: dict[str, Any]) -> None:
    bronze(settings, [0])
    bronze(settings, [1], payload=payload(**{"event_id": "e0"} | other))
    silver(settings, [0])
    assert reconcile(settings).residual == 1


def test_a_lost_row_that_is_no_json_is_nowhere(settings: Settings) -> None:
    bronze(settings, [0])
    bronze(settings, [1], payload="{torn")
    silver(settings, [0])
    assert reconcile(settings).residual == 1


def test_a_row_in_two_places_does_not_hide_a_row_in_none(settings: Settings) -> None:
    bronze(settings, [0, 1])
    silver(settings, [0])
    write(settings.lake, "silver.quarantine", [{"seq": seq(0), "origin": "silver"}])
    found = reconcile(settings)
    assert (found.accepted, found.double_counted, found.residual) == (2, 1, 1)


def test_a_row_twice_in_silver_is_doubled(settings: Settings) -> None:
    bronze(settings, [0])
    silver(settings, [0])
    silver(settings, [0])
    assert reconcile(settings).double_counted == 1


def test_equal_damaged_lines_of_one_segment_are_each_accounted_for(settings: Settings) -> None:
    bronze(settings, [-7, -7], payload="damaged", intact=False)
    write(settings.lake, "silver.quarantine", [{"seq": seq(-7), "origin": "silver"}] * 2)
    silver(settings, [])
    found = reconcile(settings)
    assert (found.accepted, found.quarantined, found.double_counted, found.residual) == (2, 2, 0, 0)


@pytest.mark.parametrize(("version", "index"), [(1, -1), (0, 0)])
def test_rows_that_silver_has_not_taken_wait(settings: Settings, version: int, index: int) -> None:
    bronze(settings, [0])
    bronze(settings, [1, 2])
    silver(settings, [0])
    taken(settings, version, index)
    found = reconcile(settings)
    assert (found.accepted, found.silver, found.residual, found.waiting) == (1, 1, 0, 2)


def test_rows_that_silver_should_have_taken_are_lost(settings: Settings) -> None:
    bronze(settings, [0])
    bronze(settings, [1, 2])
    silver(settings, [0])
    taken(settings, 2)
    assert reconcile(settings).residual == 2


def test_without_a_checkpoint_a_loss_cannot_hide_as_a_delay(settings: Settings) -> None:
    bronze(settings, [0, 1])
    silver(settings, [0])
    assert reconcile(settings).residual == 1


def test_before_the_first_batch_everything_waits(settings: Settings) -> None:
    bronze(settings, [0, 1])
    found = reconcile(settings)
    assert (found.accepted, found.waiting, found.residual) == (0, 2, 0)


def land(settings: Settings, lines: int) -> Path:
    before = set(settings.lake.landing.glob("*.log"))
    with SegmentWriter(settings.lake.landing, settings.landing) as writer:
        writer.extend([payload(f"e{n}").encode() for n in range(lines)], "plain", 0)
    (path,) = set(settings.lake.landing.glob("*.log")) - before
    return path


def read(settings: Settings, segment: Path, positions: Iterable[int], batch: int = 0) -> None:
    rows = [{"seq": seq(n, segment.name, batch), "payload": payload(f"e{n}")} for n in positions]
    write(settings.lake, "bronze.events", rows)


def test_segments_that_bronze_has_not_read_wait(settings: Settings) -> None:
    first, _ = land(settings, 2), land(settings, 3)
    read(settings, first, [0, 1])
    found = reconcile(settings)
    assert (found.waiting, found.waiting_segments, found.missing, found.unexpected) == (3 + 2, 1, 0, 0)


def test_lines_that_a_segment_lost_are_missing(settings: Settings) -> None:
    cut, emptied = land(settings, 4), land(settings, 2)
    emptied.write_bytes(b"")
    read(settings, cut, [0, 1, 2])
    assert (reconcile(settings).missing, reconcile(settings).waiting_segments) == (1 + 2, 0)


def test_a_segment_that_was_read_twice_is_too_much(settings: Settings) -> None:
    segment = land(settings, 2)
    read(settings, segment, [0, 1])
    read(settings, segment, [0, 1], batch=1)
    assert reconcile(settings).unexpected == 2


def test_offsets_of_kafka_that_bronze_lacks_or_has_twice_are_found(settings: Settings) -> None:
    for position in (4, 5, 5, 8):  # Kafka's retention took those before 4
        write(settings.lake, "bronze.events", [{"seq": seq(position, "events-1"), "payload": payload(f"e{position}")}])
    found = reconcile(settings)
    assert (found.missing, found.unexpected) == (2, 1)


def test_a_damaged_table_is_named(settings: Settings) -> None:
    bronze(settings, [0])
    silver(settings, [0])
    for file in Path(settings.lake.table("bronze.events")).glob("*.parquet"):
        file.write_bytes(b"nothing")
    with pytest.raises(LakeError, match="cannot be read"):
        reconcile(settings)
