"""`nextclick import`: every row of history is in the landing log or, with its reason, in the quarantine log."""

import fcntl
import gzip
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from cli.main import cli
from collector.imports import readers
from collector.imports.reading import MappedReading
from nextclick.errors import LakeError, MappingError, TableBusy, UsageError
from nextclick.landing.reader import check_segment, read_segment, segments
from nextclick.settings import CHECKOUT, load

GLOBO = CHECKOUT.parent / "shared" / "data" / "globo-clicks"
HEADER = (
    "user_id,session_id,session_start,session_size,click_article_id,click_timestamp,click_environment,"
    "click_deviceGroup,click_os,click_country,click_region,click_referrer_type\n"
)
CLICK = "{user},1506825423271737,1506825423000,2,{item},{time},4,3,20,1,20,2\n"


def clicks(*numbers: int) -> str:
    return HEADER + "".join(CLICK.format(user=n, item=n, time=1506826828020 + n) for n in numbers)


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    return tmp_path / "lake"


def call(lake: Path, *arguments: object) -> dict[str, Any]:
    """The report of `nextclick import … --json`; its error is raised."""
    result = CliRunner().invoke(
        cli,
        ["--lake", str(lake), "import", *map(str, arguments), "--json"],
        standalone_mode=False,
        catch_exceptions=True,
    )
    if result.exception:
        raise result.exception
    report: dict[str, Any] = json.loads(result.stdout)
    return report


def records(log: Path) -> list[dict[str, Any]]:
    assert all(check_segment(segment.path).sound for segment in segments(log))
    return [json.loads(line.payload) for segment in segments(log) for line in read_segment(segment.path)]


def items(lake: Path) -> list[str]:
    return [event["item_id"] for event in records(lake / "landing")]


def test_each_row_is_landed_once_and_a_second_import_adds_nothing(tmp_path: Path, lake: Path) -> None:
    history = tmp_path / "clicks.csv"
    history.write_text(clicks(1, 2, 3))
    first = call(lake, history, "--mapping", "globo")
    second = call(lake, history, "--mapping", "globo")
    assert {key: first[key] for key in ("files", "rows", "accepted", "rejected", "skipped")} == {
        "files": 1, "rows": 3, "accepted": 3, "rejected": 0, "skipped": 0,
    }  # fmt: skip
    assert (second["rows"], second["skipped"]) == (0, 1)
    assert items(lake) == ["1", "2", "3"]
    line = next(read_segment(segments(lake / "landing")[0].path))
    assert line.source == "import:globo"


def test_content_counts_not_the_name_and_again_imports_once_more_with_equal_ids(tmp_path: Path, lake: Path) -> None:
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text(clicks(1))
    assert call(lake, tmp_path / "a.csv", tmp_path / "b.csv", "--mapping", "globo")["skipped"] == 1
    assert call(lake, tmp_path / "b.csv", "--mapping", "globo", "--again")["accepted"] == 1
    assert call(lake, tmp_path / "b.csv", "--mapping", "globo", "--site", "other")["accepted"] == 1
    events = records(lake / "landing")
    assert [event["site"] for event in events] == ["default", "default", "other"]
    assert len({event["event_id"] for event in events}) == 1


def test_a_folder_gives_its_files_sorted_and_only_those_that_the_mapping_means(tmp_path: Path, lake: Path) -> None:
    history = tmp_path / "history"
    (history / "deep").mkdir(parents=True)
    (history / "clicks_hour_002.csv").write_text(clicks(2))
    (history / "deep" / "clicks_hour_003.csv.gz").write_bytes(gzip.compress(clicks(3).encode()))
    (history / "clicks_hour_001.csv").write_text(clicks(1))
    (history / ".clicks_hour_000.csv").write_text(clicks(0))
    (history / "README.txt").write_text("clicks")
    assert call(lake, history, "--mapping", "globo")["files"] == 3
    assert items(lake) == ["1", "2", "3"]


def test_rows_that_cannot_be_mapped_are_quarantined_whole_and_the_rest_goes_on(tmp_path: Path, lake: Path) -> None:
    history = tmp_path / "clicks.csv"
    bad_time = CLICK.format(user=2, item=2, time="soon")
    missing = CLICK.format(user=4, item="", time=1506826828020)
    history.write_bytes(
        (clicks(1) + bad_time + "3,3\n" + missing).encode() + b"caf\xe9" + clicks(5)[len(HEADER) :].encode()
    )
    report = call(lake, history, "--mapping", "globo")
    assert (report["accepted"], report["rejected"]) == (1, 4)
    assert report["reasons"] == {"bad_time": 1, "missing_identity": 1, "undecodable": 1, "wrong_column_count": 1}
    rejects = records(lake / "quarantine")
    assert [(reject["reason"], reject["message"].partition(": ")[0]) for reject in rejects] == [
        ("bad_time", f"{history}:3"),
        ("wrong_column_count", f"{history}:4"),
        ("missing_identity", f"{history}:5"),
        ("undecodable", f"{history}:6"),
    ]
    assert rejects[0]["payload"] == bad_time.strip()
    assert "column click_timestamp is 'soon'" in rejects[0]["message"]
    assert rejects[3]["replayable"] is False
    assert rejects[3]["payload"].startswith("caf\\xe9")


def test_an_oversized_row_is_kept_up_to_the_cap_and_addresses_in_rejects_are_masked(tmp_path: Path, lake: Path) -> None:
    history = tmp_path / "plain.jsonl"
    large = {"user_id": "u", "event": "x", "timestamp": 1, "ip": "203.0.113.9"} | {
        f"note{n}": "é" * 4_000 for n in range(20)
    }
    history.write_text(json.dumps(large, ensure_ascii=False) + "\n")
    assert call(lake, history, "--mapping", "plain")["reasons"] == {"too_large": 1}
    (reject,) = records(lake / "quarantine")
    limit = load().landing.max_event_bytes
    assert limit - 10 < len(reject["payload"].encode()) <= limit
    assert reject["replayable"] is False
    assert f"landing.max_event_bytes = {limit:,}" in reject["message"]
    assert "203.0.0.0" in reject["payload"]


@pytest.mark.parametrize(
    "content", [b"", HEADER.encode(), gzip.compress(b"")], ids=["nothing", "a header", "gzip of nothing"]
)
def test_an_empty_file_is_fine_and_said_to_be_empty(tmp_path: Path, lake: Path, content: bytes) -> None:
    history = tmp_path / "clicks.csv"
    history.write_bytes(content)
    report = call(lake, history, "--mapping", "globo")
    assert (report["files"], report["rows"]) == (1, 0)
    assert report["notes"] == [f"{history}: empty, 0 rows"]
    assert segments(lake / "landing") == []
    assert call(lake, history, "--mapping", "globo")["skipped"] == 1


def test_of_a_file_cut_in_the_middle_the_rows_before_are_in_and_the_cut_is_one_reject(
    tmp_path: Path, lake: Path
) -> None:
    history = tmp_path / "clicks.csv.gz"
    whole = gzip.compress(clicks(*range(5_000)).encode())
    history.write_bytes(whole[: len(whole) // 2])
    report = call(lake, history, "--mapping", "globo")
    assert report["accepted"] > 1_000
    assert report["reasons"] == {"cut_short": 1}
    assert "cut short, its gzip stream is cut in the middle" in report["notes"][0]
    (reject,) = records(lake / "quarantine")
    assert reject["message"].startswith(f"{history}:{report['accepted'] + 2}: the file ends before its end")
    history.write_bytes(whole)
    call(lake, history, "--mapping", "globo")
    assert set(items(lake)) == {str(number) for number in range(5_000)}


def test_several_processes_land_what_one_does_in_the_same_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    history = tmp_path / "history"
    history.mkdir()
    (history / "a.csv").write_text(clicks(*range(4_500)) + "no,click\n")
    (history / "b.csv").write_text(clicks(1))
    (history / "c.csv").write_text(clicks(1))  # imported as b
    (history / "d.csv").write_text(HEADER)
    whole = gzip.compress(clicks(*range(5_000, 8_000)).encode())
    (history / "e.csv.gz").write_bytes(whole[: len(whole) // 2])
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    landed = []
    for name, worth_it in (("one", 1 << 40), ("two", 0)):
        monkeypatch.setattr(readers, "WORTH_IT", worth_it)
        report = call(tmp_path / name, *sorted(history.iterdir()), "--mapping", "globo")
        landed.append((report | {"seconds": 0}, items(tmp_path / name), records(tmp_path / name / "quarantine")))
    assert landed[0] == landed[1]
    assert {name: landed[0][0][name] for name in ("files", "skipped", "rejected")} == {
        "files": 4,
        "skipped": 1,
        "rejected": 2,
    }
    assert len(landed[0][1]) > 4_501


def test_rows_are_mapped_by_other_processes_where_it_is_worth_it(
    tmp_path: Path, lake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    history = tmp_path / "clicks.csv"
    history.write_text(clicks(1))
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    monkeypatch.setattr(readers, "WORTH_IT", 0)
    monkeypatch.setattr(MappedReading, "to_payload", None)  # here alone: the processes are others
    assert call(lake, history, "--mapping", "globo")["accepted"] == 1


def test_a_missing_column_is_named_before_anything_is_landed(tmp_path: Path, lake: Path) -> None:
    good, bad = tmp_path / "a.csv", tmp_path / "b.csv"
    good.write_text(clicks(1))
    bad.write_text("user_id,article\n1,2\n")
    with pytest.raises(
        MappingError, match=r"globo needs the column .*, which .*b.csv lacks\. Its columns are: user_id, article"
    ):
        call(lake, good, bad, "--mapping", "globo")
    assert not lake.exists()


def test_a_column_that_no_json_record_has_is_named(tmp_path: Path, lake: Path) -> None:
    history = tmp_path / "events.jsonl"
    history.write_text('{"user": "u1"}\n{"event": "x"}\n')
    with pytest.raises(MappingError, match="needs the column timestamp or client_time"):
        call(lake, history, "--mapping", "plain")


def test_a_column_twice_is_refused(tmp_path: Path, lake: Path) -> None:
    history = tmp_path / "events.csv"
    history.write_text("user_id,event,timestamp,event\n")
    with pytest.raises(MappingError, match="has a column twice: user_id, event, timestamp, event"):
        call(lake, history, "--mapping", "plain")


def test_wrong_calls_are_usage_errors(tmp_path: Path, lake: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="nowhere is not there"):
        call(lake, tmp_path / "nowhere", "--mapping", "globo")
    with pytest.raises(UsageError, match=r"has no file named like clicks_hour_\*"):
        call(lake, tmp_path / "empty", "--mapping", "globo")
    os.mkfifo(tmp_path / "pipe")
    for special in (tmp_path / "pipe", Path("/dev/zero")):
        for kind in (("--mapping", "plain"), ("--mapping", "costs"), ("--format", "auto")):
            with pytest.raises(UsageError, match="is a pipe or a device"):
                call(lake, special, *kind)


def test_an_unwritable_lake_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "lake").mkdir()
    (tmp_path / "lake" / "_state").write_text("a file")
    (tmp_path / "clicks.csv").write_text(clicks(1))
    with pytest.raises(LakeError, match="cannot be written"):
        call(tmp_path / "lake", tmp_path / "clicks.csv", "--mapping", "globo")


def test_the_same_import_twice_at_once_is_refused_and_another_one_is_not(tmp_path: Path, lake: Path) -> None:
    history, catalogue = tmp_path / "clicks.csv", tmp_path / "movies.csv"
    history.write_text(clicks(1))
    catalogue.write_text("movieId,title,genres\n1,Toy Story (1995),Comedy\n")
    lock = lake / "_state" / "locks" / "import.globo.events.default.lock"
    lock.parent.mkdir(parents=True)
    with lock.open("w") as elsewhere:
        fcntl.flock(elsewhere, fcntl.LOCK_EX)
        with pytest.raises(TableBusy, match=r"import\.globo\.events\.default"):
            call(lake, history, "--mapping", "globo")
        assert call(lake, catalogue, "--mapping", "movielens", "--kind", "items")["accepted"] == 1
    assert call(lake, history, "--mapping", "globo")["accepted"] == 1


def test_parquet_json_and_csv_of_one_history_give_equal_events(tmp_path: Path) -> None:
    rows = [{"user_id": "u1", "event": "view_item", "item_id": "i1", "timestamp": 1767323045, "quantity": 2}]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "h.parquet")
    (tmp_path / "h.jsonl").write_text(json.dumps(rows[0]) + "\n")
    (tmp_path / "h.tsv").write_text("\t".join(rows[0]) + "\n" + "\t".join(map(str, rows[0].values())) + "\n")
    imported = []
    for name in ("h.parquet", "h.jsonl", "h.tsv"):
        call(tmp_path / name.replace(".", "-"), tmp_path / name, "--mapping", "plain")
        imported.append(records(tmp_path / name.replace(".", "-") / "landing"))
    assert imported[0] == imported[1] == imported[2]
    assert len(imported[0]) == 1


def test_the_shipped_mappings_read_their_data_sets(tmp_path: Path, lake: Path) -> None:
    folder = tmp_path / "history"
    folder.mkdir()
    (folder / "ratings.csv").write_text("userId,movieId,rating,timestamp\n1,296,5.0,1147880044\n")
    (folder / "movies.csv").write_text('movieId,title,genres\n11,"American President, The (1995)",Comedy|Drama\n')
    (folder / "events.csv").write_text(
        "timestamp,visitorid,event,itemid,transactionid\n1433221332117,257597,view,355908,\n1433224214164,992329,transaction,248676,7\n"
    )
    (folder / "item_properties_part1.csv").write_text(
        "timestamp,itemid,property,value\n1435460400000,460429,categoryid,1338\n"
    )
    for mapping in ("movielens", "retailrocket"):
        assert call(lake, folder, "--mapping", mapping)["rejected"] == 0
        assert call(lake, folder, "--mapping", mapping, "--kind", "items")["rejected"] == 0
    assert [(event["event"], event["item_id"]) for event in records(lake / "landing")] == [
        ("view_item", "296"), ("item_update", "11"), ("view_item", "355908"), ("purchase", "248676"), ("item_update", "460429"),
    ]  # fmt: skip


@pytest.mark.skipif(not GLOBO.is_dir(), reason=f"the real clicks are not in {GLOBO}")
def test_an_hour_of_real_clicks_lands_whole(tmp_path: Path, lake: Path) -> None:
    shutil.copy(GLOBO / "clicks_hour_000.csv.gz", tmp_path)
    report = call(lake, tmp_path / "clicks_hour_000.csv.gz", "--mapping", "globo")
    assert (report["accepted"], report["rejected"]) == (1_883, 0)
    events = records(lake / "landing")
    assert len({event["event_id"] for event in events}) == 1_883
    assert len({event["visitor_id"] for event in events}) == 707
