"""The collector as a client sees it: what it takes, what it refuses, and what it says."""

import gzip
import http.client
import json
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nextclick.settings import DEFAULT_CONF
from nextclick.web.signatures import sign
from tests.collector_process import Collector, collecting

VIEW = {"event": "view_item", "visitor_id": "v1", "item_id": "lamp", "timestamp": "2026-11-22T10:00:00Z"}
TEN = 1_795_341_600_000  # 2026-11-22T10:00:00Z


@pytest.fixture
def fresh(collector: Collector) -> tuple[Collector, int, int]:
    """The collector, with how many events and rejects it had landed before."""
    last = f"after the test before {time.monotonic_ns()}"
    collector.post("/v1/events", json.dumps(VIEW | {"event_id": last}).encode())
    landed = collector.wait_for(lambda events: events[-1:] != [] and events[-1]["event_id"] == last)
    return collector, len(landed), len(collector.rejects())


def test_the_plain_event_of_the_readme_is_taken_as_it_stands(fresh: tuple[Collector, int, int]) -> None:
    collector, before, _ = fresh
    event = {
        "user_id": "u1",
        "session_id": "s1",
        "event": "view_product",
        "product_id": "p1",
        "timestamp": "2026-11-22T10:00:00Z",
        "metadata": {"category": "shoes", "colour": "red"},
    }
    reply = collector.post("/v1/events", event, User_Agent="Mozilla/5.0 Shop")
    assert (reply.status, reply.json) == (200, {"accepted": 1, "rejected": []})
    landed = collector.wait_for(lambda all: len(all) == before + 1)[-1]
    assert len(landed.pop("event_id")) == 32
    assert landed == {
        "event": "view_item",
        "client_time": TEN,
        "user_id": "u1",
        "session_hint": "s1",
        "item_id": "p1",
        "category": "shoes",
        "user_agent": "Mozilla/5.0 Shop",
        "ip": "127.0.0.0",
        "properties": {"colour": "red"},
        "source": "plain",
    }


@pytest.mark.parametrize(
    "body",
    [
        json.dumps([VIEW, VIEW | {"item_id": "desk"}]),
        json.dumps(VIEW) + "\n" + json.dumps(VIEW | {"item_id": "desk"}) + "\n",
        json.dumps({"key": "k", "sent_at": TEN, "events": [VIEW, VIEW | {"item_id": "desk"}]}),
        gzip.compress(json.dumps([VIEW, VIEW | {"item_id": "desk"}]).encode(), mtime=0),
    ],
    ids=["array", "lines", "beacon", "gzip"],
)
def test_two_events_come_as_an_array_as_lines_as_a_beacon_and_packed(
    fresh: tuple[Collector, int, int], body: str | bytes
) -> None:
    collector, before, _ = fresh
    assert collector.post("/v1/events", body, Content_Type="text/plain").json["accepted"] == 2
    landed = collector.wait_for(lambda all: len(all) == before + 2)
    assert [event["item_id"] for event in landed[-2:]] == ["lamp", "desk"]


def test_the_times_of_a_clock_that_is_an_hour_slow_are_corrected(fresh: tuple[Collector, int, int]) -> None:
    collector, before, _ = fresh
    hour_ago = time.time_ns() // 1_000_000 - 3_600_000
    collector.post("/v1/events", VIEW | {"timestamp": hour_ago - 5_000, "sent_at": hour_ago})
    landed = collector.wait_for(lambda all: len(all) == before + 1)[-1]
    assert landed["client_time"] == hour_ago - 5_000
    assert abs(landed["occurred_at"] - (time.time_ns() // 1_000_000 - 5_000)) < 60_000


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"event":', "malformed_json"),
        (b"", "malformed_json"),
        (b"\xff\xfe", "malformed_json"),
        (b'{"event": "x", "price": 1e400,}', "malformed_json"),
        (b'{"event": "\\ud800"}', "missing_event"),
        (b"[" * 5_000 + b"]" * 5_000, "too_deep"),
        (b'{"event": "x", "visitor_id": "v", "properties": ' + b'{"a":' * 40 + b"1" + b"}" * 41, "too_deep"),
        (gzip.compress(b"{}", mtime=0)[:-4], "bad_encoding"),
        (gzip.compress(b" " * 9_000_000, mtime=0), "body_too_large"),
        (b" " * 1_100_000, "body_too_large"),
        (json.dumps([VIEW] * 2_501).encode(), "batch_too_large"),
        (b'{"event": "x"}', "missing_visitor"),
        (b'{"visitor_id": "v"}', "missing_event"),
        (b'{"event": "x", "visitor_id": "v", "timestamp": "soon"}', "bad_time"),
        (b'{"event": {"a": 1}, "visitor_id": "v", "price": "NaN"}', "bad_type"),
        (b'{"event": "item_update", "item_id": "lamp", "visitor_id": "v", "price": 1}', "reserved_kind"),
        (json.dumps(VIEW | {str(number): "a" * 4_000 for number in range(20)}).encode(), "too_large"),
    ],
)
def test_each_bad_request_is_answered_and_leaves_one_reject(
    fresh: tuple[Collector, int, int], body: bytes, reason: str
) -> None:
    collector, events, rejects = fresh
    reply = collector.post("/v1/events", body)
    assert reply.status in (200, 400, 413)
    records = collector.wait_for_rejects(rejects + 1)
    assert [reject["reason"] for reject in records[rejects:]] == [reason]
    assert len(collector.landed()) == events
    assert collector.post("/v1/events", VIEW).status == 200


def test_a_batch_with_one_bad_event_keeps_the_others_and_names_the_bad_one(fresh: tuple[Collector, int, int]) -> None:
    collector, before, rejects = fresh
    reply = collector.post("/v1/events", [VIEW, VIEW | {"event": {}}, VIEW | {"item_id": "desk"}])
    assert reply.json == {
        "accepted": 2,
        "rejected": [{"error": "missing_event", "message": "there is no kind of event."}],
    }
    collector.wait_for(lambda all: len(all) == before + 2)
    payload = json.loads(collector.wait_for_rejects(rejects + 1)[-1]["payload"])
    assert payload == [VIEW | {"event": {}}]


def test_an_address_in_a_reject_is_masked(fresh: tuple[Collector, int, int]) -> None:
    collector, _, rejects = fresh
    collector.post("/v1/events", '{"event": "203.0.113.9')
    records = collector.wait_for_rejects(rejects + 1)
    assert "203.0.0.0" in records[-1]["payload"]


def test_without_keys_pages_of_this_machine_alone_may_send(collector: Collector) -> None:
    preflight: Any = {"method": "OPTIONS", "Access_Control_Request_Method": "POST"}
    reply = collector.ask("/v1/events", Origin="http://localhost:3000", **preflight)
    assert (reply.status, reply.headers["access-control-allow-origin"]) == (204, "http://localhost:3000")
    assert (
        "access-control-allow-origin"
        not in collector.ask("/v1/events", Origin="https://a.example", **preflight).headers
    )
    foreign: Any = ({"Origin": "https://a.example"}, {"Origin": "null"}, {"Host": "a.example"})
    for headers in foreign:
        assert collector.post("/v1/events", VIEW, **headers).status == 403
    assert collector.ask("/metrics", Host="a.example").status == 403


def test_a_head_at_an_image_is_taken_as_a_get_and_answered_without_a_body(fresh: tuple[Collector, int, int]) -> None:
    collector, before, _ = fresh
    for path in (
        "/i?e=pv&duid=head",
        "/matomo.php?idsite=1&rec=1&_id=0123456789abcdef&url=https%3A%2F%2Fa.example%2F",
        "/pixel/v1/page?anonymousId=head",
    ):
        reply = collector.ask(path, method="HEAD")
        assert (reply.status, reply.body, reply.headers["content-type"]) == (200, b"", "image/gif")
    collector.wait_for(lambda all: len(all) == before + 3)


def test_a_doubled_slash_is_one(collector: Collector) -> None:
    assert collector.post("//v1/batch", {"batch": []}).status == 200


def test_an_answer_before_the_end_of_the_body_says_that_the_connection_ends(collector: Collector) -> None:
    client = http.client.HTTPConnection("127.0.0.1", collector.port, timeout=30)
    for headers, status, says in (({"origin": "https://a.example"}, 403, "close"), ({}, 200, None)) * 2:
        client.request("POST", "/v1/events", json.dumps(VIEW), headers)  # on the same connection, unless it ended
        reply = client.getresponse()
        reply.read()
        assert (reply.status, reply.getheader("connection")) == (status, says)
    client.close()


def test_unknown_paths_and_methods_are_told_apart(collector: Collector) -> None:
    assert collector.ask("/nothing").status == 404
    wrong = collector.ask("/v1/events")
    assert (wrong.status, wrong.headers["allow"]) == (405, "POST")


def test_health_and_metrics_answer(collector: Collector) -> None:
    collector.post("/v1/events", VIEW)
    assert collector.ask("/health").json == {"status": "ok"}
    assert collector.ask("/sink-health").json == {"status": "ok"}
    page = collector.ask("/metrics").body.decode()
    assert 'nextclick_collector_accepted_total{dialect="plain"}' in page
    assert "nextclick_collector_sink_up 1.0" in page


def test_values_that_cannot_be_read_are_counted_by_tracker_and_field(collector: Collector) -> None:
    reply = collector.post("/v1/events", VIEW | {"event_id": "unread", "quantity": "many", "price": "12,50"})
    assert reply.json == {"accepted": 1, "rejected": []}
    page = collector.ask("/metrics").body.decode()
    for field in ("price", "quantity"):
        assert f'nextclick_collector_unread_total{{dialect="plain",field="{field}"}} 1.0' in page


def test_resends_are_counted(collector: Collector) -> None:
    def counted() -> float:
        page = collector.ask("/metrics").body.decode()
        return float(re.findall(r"^nextclick_collector_duplicates_total (\S+)", page, re.MULTILINE)[0])

    before = counted()
    for _ in range(3):
        collector.post("/v1/events", VIEW | {"event_id": "thrice"})
    assert counted() == before + 2


def test_headers_that_never_end_are_cut_off(tmp_path: Path) -> None:
    with collecting(tmp_path / "lake", NEXTCLICK_COLLECTOR__HEADER_SECONDS="1") as collector:
        client = socket.create_connection(("127.0.0.1", collector.port), timeout=20)
        client.sendall(b"POST /v1/events HTTP/1.1\r\nhost: localhost\r\nx-slow: ")
        assert client.recv(4096) == b"" or b" 408 " in client.recv(4096)
        long = b"GET /health HTTP/1.1\r\nhost: localhost\r\nx-long: " + b"a" * 300_000 + b"\r\n\r\n"
        with socket.create_connection(("127.0.0.1", collector.port), timeout=20) as client:
            client.sendall(long)
            assert client.recv(4096).split(b" ")[1] == b"431"


def test_half_a_body_hangs_nobody_and_times_out(tmp_path: Path) -> None:
    with collecting(
        tmp_path / "lake", NEXTCLICK_COLLECTOR__BODY_SECONDS="1", NEXTCLICK_COLLECTOR__IN_FLIGHT="64"
    ) as collector:
        stalled = [_stalled(collector.port) for _ in range(40)]
        assert collector.post("/v1/events", VIEW).status == 200
        for client in stalled:
            assert b" 408 " in client.recv(4096).split(b"\r\n")[0] + b" "
            client.close()


def _stalled(port: int) -> socket.socket:
    """A client that promises more of a body than it sends."""
    client = socket.create_connection(("127.0.0.1", port), timeout=30)
    client.sendall(b'POST /v1/events HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\n{"event":')
    return client


@pytest.fixture
def keyed(tmp_path: Path) -> Iterator[Collector]:
    """A collector of one shop, whose key only its own pages may use."""
    conf = tmp_path / "conf"
    conf.mkdir()
    text = (DEFAULT_CONF / "default.toml").read_text()
    text = text.replace("origins = []", 'origins = ["https://shop.example"]', 1)
    text = text.replace("requests_per_second = 0.0", "requests_per_second = 3.0", 1)
    key = '[collector.write_keys]\npk_shop = { site = "shop", origins = ["https://shop.example"] }\n'
    (conf / "default.toml").write_text(text.replace("[collector.write_keys]", key, 1))
    with collecting(tmp_path / "lake", "--conf-dir", str(conf)) as running:
        yield running


def test_a_write_key_decides_the_site_and_its_origins_and_how_often(keyed: Collector) -> None:
    assert keyed.post("/v1/events", VIEW).status == 401
    assert keyed.post("/v1/events", VIEW, X_Write_Key="guess").status == 401
    assert keyed.post("/v1/events", VIEW, X_Write_Key="pk_shop", Origin="https://evil.example").status == 403
    reply = keyed.post("/v1/events", VIEW | {"site": "other"}, X_Write_Key="pk_shop", Origin="https://shop.example")
    assert reply.status == 200
    assert reply.headers["access-control-allow-origin"] == "https://shop.example"
    assert reply.headers["access-control-allow-credentials"] == "true"
    assert keyed.wait_for(lambda all: len(all) == 1)[0]["site"] == "shop"
    replies = [keyed.post("/v1/events", VIEW, X_Write_Key="pk_shop") for _ in range(12)]
    limited = [reply for reply in replies if reply.status == 429]
    assert limited
    assert "retry-after" in limited[0].headers
    assert 429 in {keyed.post("/v1/events", "{", X_Write_Key="pk_shop").status for _ in range(8)}, (
        "bad ones count as well"
    )
    assert 429 in {keyed.post("/v1/events", VIEW, X_Write_Key=f"new {n}").status for n in range(8)}, "they share a rate"


def test_a_write_key_takes_what_it_may_send_and_the_answer_names_the_rest(tmp_path: Path) -> None:
    secret = "a secret key of tests"
    keys = {"page": {"site": "shop", "kinds": ["view_item", "identify"], "users": "signed", "oldest_days": 2}}
    env: Any = {"NEXTCLICK_COLLECTOR__WRITE_KEYS": json.dumps(keys), "NEXTCLICK_COLLECTOR__SECRET_KEY": secret}
    view = {"event": "view_item", "visitor_id": "v1", "item_id": "lamp"}
    events = [
        view,
        view | {"event": "purchase"},
        view | {"user_id": "u7"},
        view | {"user_id": "u7", "user_signature": sign(secret, "shop", "u7")},
        view | {"timestamp": 1_000_000_000_000},
        {"user_id": "u7", "user_signature": sign(secret, "shop", "u7")},
    ]
    with collecting(tmp_path / "lake", **env) as collector:
        reply = collector.post("/v1/events", {"key": "page", "events": events})
        assert (reply.status, reply.json["accepted"]) == (200, 2)
        assert [each["error"] for each in reply.json["rejected"]] == [
            "missing_event", "kind_not_allowed", "user_not_allowed", "too_old",
        ]  # fmt: skip
        landed = collector.wait_for(lambda all: len(all) == 2)
        assert [(event.get("user_id"), event.get("properties")) for event in landed] == [(None, None), ("u7", None)]
        assert sign(secret, "shop", "u7") not in str(collector.wait_for_rejects(4))
        assert b'reason="too_old"' in collector.ask("/metrics", Authorization=f"Bearer {secret}").body
        server = collector.post("/v1/events", events, X_Write_Key="page", Authorization=f"Bearer {secret}")
        assert server.json == {"accepted": 5, "rejected": server.json["rejected"][:1]}


def test_the_catalogue_takes_items_from_who_has_the_secret_key(tmp_path: Path) -> None:
    lamp = {
        "item_id": "lamp",
        "name": "Lamp",
        "price": 9.5,
        "currency": "EUR",
        "available": True,
        "attributes": {"watt": 40},
    }
    with collecting(tmp_path / "lake", NEXTCLICK_COLLECTOR__SECRET_KEY="a secret key of tests") as collector:
        assert collector.post("/v1/items", lamp).status == 401
        assert collector.post("/v1/items", lamp, Authorization="Bearer guess").status == 401
        reply = collector.post("/v1/items", [lamp, {"name": "no id"}], Authorization="Bearer a secret key of tests")
        assert (reply.status, reply.json["accepted"], reply.json["rejected"][0]["error"]) == (200, 1, "missing_item")
        [landed] = collector.wait_for(lambda all: len(all) == 1)
        assert landed["source"] == "catalogue"
        assert (landed["event"], landed["item_id"], landed["price"]) == ("item_update", "lamp", "9.5")
        assert landed["properties"] == {"available": "true", "watt": "40"}


def test_the_catalogue_is_closed_without_a_secret_key(collector: Collector) -> None:
    reply = collector.post("/v1/items", {"item_id": "lamp"}, Authorization="Bearer ")
    assert (reply.status, reply.json["error"]) == (403, "closed")


def test_it_listens_beyond_loopback_only_with_keys(tmp_path: Path) -> None:
    command = [str(Path(sys.executable).parent / "nextclick"), "--lake", str(tmp_path), "collect", "--host", "0.0.0.0"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "write_keys" in done.stderr
