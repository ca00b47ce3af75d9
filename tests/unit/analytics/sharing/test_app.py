"""The door of partners: what it lists and hands out, to whom, and what never leaves."""

import io
import json
import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis
from hypothesis import strategies as st
from starlette.testclient import TestClient

from analytics.sharing.app import app
from analytics.sharing.audit import Audit
from analytics.sharing.recipients import Recipients
from nextclick.settings import Settings
from nextclick.web.signed_links import SignedLinks
from tests.shared_lake import SECRET, fill, settings_of

PREFIX = "/delta-sharing"
VISITS = "/shares/acme/schemas/gold/tables/visits"
ITEMS = "/shares/all/schemas/gold/tables/item_daily"
TRAFFIC = "/shares/acme/schemas/report/tables/traffic"


class Partner:
    """A client with a token."""

    def __init__(self, settings: Settings, token: str) -> None:
        self.http = TestClient(app(settings), "http://127.0.0.1:8095")
        self.token = token

    def get(self, path: str, token: str | None = None, **headers: str) -> Any:
        bearer = {"authorization": f"Bearer {self.token if token is None else token}"}
        return self.http.get(PREFIX + path, headers=bearer | headers)

    def query(self, path: str, headers: dict[str, str] | None = None, **body: Any) -> Any:
        bearer = {"authorization": f"Bearer {self.token}"}
        return self.http.post(f"{PREFIX}{path}/query", headers=bearer | (headers or {}), json=body)

    def files(self, path: str, **body: Any) -> list[dict[str, Any]]:
        answer = self.query(path, **body)
        assert answer.status_code == 200, answer.text
        return [line["file"] for line in lines(answer)[2:]]

    def rows(self, path: str, **body: Any) -> list[dict[str, Any]]:
        """As a client puts them together."""
        there: list[dict[str, Any]] = []
        for file in self.files(path, **body):
            content = self.http.get(file["url"]).content
            assert len(content) == file["size"]
            rows = pq.read_table(io.BytesIO(content)).to_pylist()
            assert json.loads(file["stats"]) == {"numRecords": len(rows)}
            there += [{**row, **file["partitionValues"]} for row in rows]
        return there


def lines(answer: Any) -> list[dict[str, Any]]:
    return [json.loads(line) for line in answer.text.splitlines()]


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    settings = settings_of(tmp_path_factory.mktemp("shared"))
    fill(settings.lake)
    return settings


@pytest.fixture(scope="module")
def tokens(lake: Settings) -> dict[str, str]:
    return {name: Recipients(lake.lake).add(name, 30)[1] for name in ("acme", "own", "other")}


@pytest.fixture
def acme(lake: Settings, tokens: dict[str, str]) -> Partner:
    return Partner(lake, tokens["acme"])


def test_a_recipient_sees_the_shares_that_name_it(acme: Partner, tokens: dict[str, str]) -> None:
    assert acme.get("/shares").json() == {"items": [{"name": "acme"}, {"name": "all"}]}
    assert acme.get("/shares", tokens["other"]).json() == {"items": [{"name": "other"}]}
    assert acme.get("/shares/ACME").json() == {"share": {"name": "acme"}}
    assert acme.get("/shares/acme/schemas").json()["items"] == [
        {"name": "gold", "share": "acme"},
        {"name": "report", "share": "acme"},
    ]
    assert acme.get("/shares/acme/schemas/report/tables").json()["items"] == [
        {"name": "traffic", "schema": "report", "share": "acme"}
    ]
    assert [item["name"] for item in acme.get("/shares/acme/all-tables").json()["items"]] == ["visits", "traffic"]


def test_a_list_comes_in_pages(acme: Partner) -> None:
    first = acme.get("/shares?maxResults=1").json()
    assert first == {"items": [{"name": "acme"}], "nextPageToken": "1"}
    assert acme.get("/shares?maxResults=1&pageToken=1").json() == {"items": [{"name": "all"}]}
    assert acme.get("/shares?maxResults=0").json() == {"items": [], "nextPageToken": "0"}
    assert acme.get("/shares?maxResults=-1").status_code == 400


def test_rows_of_other_sites_and_columns_that_are_not_named_never_leave(acme: Partner) -> None:
    assert sorted(acme.rows(VISITS), key=str) == [
        {"session_id": f"{day}-{n}", "channel": "email", "date": f"2026-01-0{day}"}
        for day, number in ((1, 2), (2, 3))
        for n in range(number)
    ]
    answer = acme.query(VISITS)
    everything = answer.content + b"".join(acme.http.get(file["url"]).content for file in acme.files(VISITS))
    for hidden in (SECRET, "visitor_id", "entry_page"):
        assert hidden.encode() not in everything


def test_a_report_is_shared_as_its_view_has_it(acme: Partner) -> None:
    assert sorted(acme.rows(TRAFFIC), key=str) == [
        {"date": datetime(2026, 1, day).date(), "channel": "email", "visits": number}
        for day, number in ((1, 2), (2, 3))
    ]


def test_metadata_says_types_and_what_columns_mean(acme: Partner) -> None:
    answer = acme.get(f"{ITEMS}/metadata")
    protocol, metadata = lines(answer)
    assert protocol == {"protocol": {"minReaderVersion": 1}}
    fields = json.loads(metadata["metaData"]["schemaString"])["fields"]
    assert [(field["name"], field["type"]) for field in fields] == [
        ("item_id", "string"),
        ("views", "long"),
        ("revenue", fields[2]["type"]),
        ("date", "date"),
    ]
    assert fields[2]["type"]["keyType"] == "string"
    assert fields[2]["type"]["valueType"] == "decimal(38,4)"
    assert fields[0]["metadata"] == {"comment": "The item."}
    assert metadata["metaData"]["partitionColumns"] == ["date"]
    assert answer.headers["delta-table-version"] == acme.get(f"{ITEMS}/version").headers["delta-table-version"] == "1"


def test_hints_and_limits_leave_files_out(acme: Partner) -> None:
    assert {file["partitionValues"]["date"] for file in acme.files(VISITS)} == {"2026-01-01", "2026-01-02"}
    later = acme.files(VISITS, predicateHints=["date >= '2026-01-02'"])
    assert {file["partitionValues"]["date"] for file in later} == {"2026-01-02"}
    column, literal = {"op": "column", "name": "date", "valueType": "date"}, {"op": "literal", "value": "2026-01-01"}
    equal = json.dumps({"op": "equal", "children": [column, literal]})
    assert {file["partitionValues"]["date"] for file in acme.files(VISITS, jsonPredicateHints=equal)} == {"2026-01-01"}
    assert len(acme.files(VISITS, limitHint=3)) == 1
    assert acme.files(VISITS, limitHint=0) == []


def test_an_older_version_is_there_where_history_is_shared(acme: Partner) -> None:
    assert {row["item_id"] for row in acme.rows(ITEMS, version=0)} == {"a", "b"}
    assert (
        {row["item_id"] for row in acme.rows(ITEMS, version=1)}
        == {"a", "b", "c"}
        == {row["item_id"] for row in acme.rows(ITEMS)}
    )
    assert acme.query(ITEMS, version=7).status_code == 400
    refused = acme.query(VISITS, version=0)
    assert (refused.status_code, refused.json()["errorCode"]) == (400, "NO_SUCH_VERSION")
    assert len(acme.rows(VISITS, version=1)) == 5


def test_a_time_names_a_version(acme: Partner) -> None:
    now = datetime.now(UTC)
    assert acme.query(ITEMS, timestamp=now.isoformat()).headers["delta-table-version"] == "1"
    assert acme.query(ITEMS, timestamp="2020-01-01T00:00:00Z").status_code == 400
    since = acme.get(f"{ITEMS}/version?startingTimestamp=2020-01-01T00:00:00Z")
    assert since.headers["delta-table-version"] == "0"
    later = (now + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert acme.get(f"{ITEMS}/version?startingTimestamp={later}").status_code == 400
    assert acme.get(f"{ITEMS}/version?startingTimestamp=soon").status_code == 400


def test_changes_are_refused_in_words(acme: Partner) -> None:
    assert "not shared" in acme.get(f"{ITEMS}/changes?startingVersion=0").json()["message"]
    assert acme.query(ITEMS, startingVersion=0).status_code == 400


def test_the_format_of_delta_has_the_same_files(acme: Partner) -> None:
    answer = acme.query(ITEMS, {"delta-sharing-capabilities": "responseFormat=delta;readerFeatures=deletionVectors"})
    assert "responseformat=delta" in answer.headers["delta-sharing-capabilities"]
    protocol, metadata, *files = lines(answer)
    assert protocol["protocol"]["deltaProtocol"] == {"minReaderVersion": 1, "minWriterVersion": 2}
    assert metadata["metaData"]["deltaMetadata"]["partitionColumns"] == ["date"]
    adds = [file["file"]["deltaSingleAction"]["add"] for file in files]
    assert {(add["partitionValues"]["date"], add["size"]) for add in adds} == {
        (file["partitionValues"]["date"], file["size"]) for file in acme.files(ITEMS)
    }
    both = acme.query(ITEMS, {"delta-sharing-capabilities": "responseformat=delta,parquet"})
    assert both.headers["delta-sharing-capabilities"] == "responseformat=parquet"


def test_a_file_has_one_id_for_all_who_may_see_the_same_and_is_made_once(
    acme: Partner, lake: Settings, tokens: dict[str, str]
) -> None:
    again = Partner(lake, tokens["own"])
    assert [file["id"] for file in acme.files(ITEMS)] == [file["id"] for file in again.files(ITEMS)]
    assert {file["id"] for file in acme.files(ITEMS, version=0)} < {file["id"] for file in acme.files(ITEMS)}


@pytest.mark.parametrize("token", ["", "x", "Bearer", "ä", "x" * 5000])
def test_a_wrong_token_opens_nothing(acme: Partner, token: str) -> None:
    answer = acme.http.get(f"{PREFIX}/shares", headers={"authorization": f"Bearer {token}".encode()})
    assert answer.status_code == 401, answer.text
    assert answer.headers["www-authenticate"] == "Bearer"
    assert acme.http.get(f"{PREFIX}/shares").status_code == 401


def test_what_is_shared_with_others_is_as_if_it_were_not_there(acme: Partner) -> None:
    there = "/shares/other/schemas/gold/tables/visits"
    for path in (there, "/shares/none/schemas/gold/tables/visits", VISITS.replace("visits", "interactions")):
        answers = [acme.get(f"{path}/metadata"), acme.get(f"{path}/version"), acme.query(path)]
        assert {answer.status_code for answer in answers} == {404}
        assert {answer.json()["errorCode"] for answer in answers} == {"RESOURCE_DOES_NOT_EXIST"}
    assert acme.get("/shares/other/all-tables").json() == acme.get("/shares/none/all-tables").json()


def test_a_link_opens_one_file_to_its_recipient_until_its_end(lake: Settings, tokens: dict[str, str]) -> None:
    acme = Partner(lake, tokens["acme"])
    address, other = (acme.files(VISITS)[n]["url"] for n in (0, 1))
    assert acme.http.get(address).status_code == 200
    assert acme.http.get(address, headers={"range": "bytes=0-3"}).content == b"PAR1"
    changed = (
        address.replace("recipient=acme", "recipient=other"),
        address.replace("recipient=acme&", ""),
        address.replace("until=1", "until=2"),
        address[:-1] + ("0" if address[-1] != "0" else "1"),
        address.replace(address.split("/")[-1].split("?")[0], other.split("/")[-1].split("?")[0]),
        address.split("?")[0],
    )
    for each in changed:
        assert acme.http.get(each).status_code == 401, each
    assert acme.http.get(changed[0], headers={"host": "["}).status_code == 401
    path = address.removeprefix("http://127.0.0.1:8095").split("&until")[0]
    recipient = Recipients(lake.lake).named("acme")
    assert recipient
    ended = SignedLinks(lake.lake).sign(path, 1_000_000_000, recipient.token_sha256)
    assert acme.http.get(ended).status_code == 401


def test_a_token_that_ended_takes_its_links_along(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    fill(settings.lake)
    recipients = Recipients(settings.lake)
    acme = Partner(settings, recipients.add("acme", 1)[1])
    address = acme.files(VISITS)[0]["url"]
    recipients.end("acme")
    assert acme.get("/shares").status_code == acme.http.get(address).status_code == 401
    assert "ended" in acme.get("/shares").json()["message"]
    anew = recipients.add("acme", 1)[1]
    assert acme.http.get(address).status_code == 401
    assert acme.get("/shares", anew).status_code == 200


@pytest.mark.parametrize(
    "name",
    [
        "..%2f..%2fshare_recipients.json",
        "%2e%2e%2flink_key",
        "../link_key",
        ".",
        "..",
        "x",
        "%00.parquet",
        "a%2fb.parquet",
    ],
)
def test_no_name_leads_out_of_the_folder(acme: Partner, lake: Settings, name: str) -> None:
    recipient = Recipients(lake.lake).named("acme")
    assert recipient
    for path in (name, name.replace("%2f", "/").replace("%2e", ".")):
        signed = SignedLinks(lake.lake).sign(
            f"{PREFIX}/files/{path}?recipient=acme", 2_000_000_000, recipient.token_sha256
        )
        assert acme.http.get(signed).status_code in (401, 404)


def test_each_read_is_on_record_without_a_secret(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    fill(settings.lake)
    token = Recipients(settings.lake).add("acme", 1)[1]
    acme = Partner(settings, token)
    acme.rows(VISITS)
    acme.get("/shares/secret/all-tables")
    acme.get("/shares", "wrong")
    reads = [*Audit(settings.lake).reads()]
    assert [(read.what, read.status, read.share, read.table) for read in reads] == [
        ("query", 200, "acme", "gold.visits"),
        ("file", 200, "", ""),
        ("file", 200, "", ""),
        ("list", 404, "secret", ""),
    ]
    assert (reads[0].recipient, reads[0].version, reads[0].files, reads[0].rows) == ("acme", 1, 2, 5)
    assert sum(read.bytes or 0 for read in reads[1:3]) == reads[0].bytes
    [record] = (settings.lake.state / "share_reads").iterdir()
    assert record.stat().st_mode & 0o077 == 0
    text = record.read_text()
    assert token not in text
    assert "signature" not in text


def test_of_tables_that_were_never_written_there_are_columns_and_no_files(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    acme = Partner(settings, Recipients(settings.lake).add("acme", 1)[1])
    for path in (VISITS, ITEMS, TRAFFIC):
        assert acme.files(path) == []
        assert acme.get(f"{path}/version").headers["delta-table-version"] == "0"


def test_files_of_the_past_make_room_and_those_that_a_link_opens_stay(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, cache_bytes=1 << 20, link_seconds=10)
    fill(settings.lake)
    acme = Partner(settings, Recipients(settings.lake).add("acme", 1)[1])
    past = settings.lake.state / "shared_files" / f"{'0' * 64}.parquet"
    past.parent.mkdir(parents=True)
    past.write_bytes(b"0" * (1 << 20))
    refused = acme.query(VISITS)
    assert (refused.status_code, refused.json()["errorCode"]) == (503, "NO_ROOM")
    assert past.exists()
    os.utime(past, (1, 1))
    assert len(acme.rows(VISITS)) == 5
    assert not past.exists()


def test_a_copy_that_nobody_asks_for_goes_in_a_week(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    fill(settings.lake)
    acme = Partner(settings, Recipients(settings.lake).add("acme", 1)[1])
    acme.files(VISITS)
    folder, now = settings.lake.state / "shared_files", time.time()
    old, new = sorted(folder.iterdir())
    os.utime(old, (now - 7 * 86_400 - 60,) * 2)
    os.utime(new, (now - 7 * 86_400 + 60,) * 2)
    acme.files(TRAFFIC)
    assert (old.exists(), new.exists()) == (False, True)
    assert len(acme.rows(VISITS)) == 5


@hypothesis(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    body=st.binary(max_size=60)
    | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(json.dumps).map(str.encode)
)
def test_no_body_breaks_it(acme: Partner, body: bytes) -> None:
    answer = acme.http.post(f"{PREFIX}{ITEMS}/query", headers={"authorization": f"Bearer {acme.token}"}, content=body)
    assert answer.status_code in (200, 400)


def test_a_body_that_is_too_large_is_not_read(acme: Partner) -> None:
    assert acme.query(ITEMS, predicateHints=["x" * 70_000]).status_code == 413
    deep = '{"op":"not","children":[' * 1000 + "]}" * 1000
    assert acme.query(ITEMS, jsonPredicateHints=deep).status_code == 200
