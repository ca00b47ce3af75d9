"""Who asks, how large, how many, and only then what: nobody without a key costs much, or leaves anything behind."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from collector.http.body_memory import BodyMemory
from collector.http.reject_budget import RejectBudget
from collector.request.model import Refused
from nextclick.settings import load
from tests.collector_app import InProcess, in_process

VIEW = {"event": "view_item", "visitor_id": "v1", "item_id": "lamp", "timestamp": 1_795_341_600_000}
BAD = VIEW | {"timestamp": "soon"}
KEYS = {"pk_shop": {"site": "shop"}}


@pytest.fixture
def keyed(tmp_path: Path) -> Iterator[InProcess]:
    """A collector with one write key and little room for rejects."""
    few = {"NEXTCLICK_COLLECTOR__REJECTS_PER_MINUTE": "3"}
    with in_process(tmp_path, KEYS, **few) as app:
        yield app


@pytest.mark.parametrize(
    ("path", "query", "headers"),
    [
        ("/v1/events", "", {"x_write_key": "guess"}),
        ("/com.snowplowanalytics.snowplow/tp2", "", {"x_write_key": "guess"}),
        ("/mp/collect", "api_secret=guess", {}),
        ("/mp/collect", "", {}),
    ],
)
def test_an_unknown_key_outside_of_the_body_is_refused_before_the_body_is_read(
    keyed: InProcess, path: str, query: str, headers: Any
) -> None:
    reply = keyed.post(path, b'{"broken":', query, **headers)
    assert (reply.status, reply.rejects, keyed.parts_read) == (401, [], 0)


@pytest.mark.parametrize(
    "body",
    [b'{"broken":', json.dumps([BAD]).encode(), gzip.compress(b"A" * 300_000, mtime=0), b"[" * 50, b"x" * 1_100_000],
    ids=["malformed", "bad-event", "small-to-large", "deep", "large"],
)  # fmt: skip
@pytest.mark.parametrize(
    "path", ["/v1/events", "/v1/batch", "/track", "/2/httpapi", "/e", "/api/event", "/matomo.php", "/i/v0/e"]
)
def test_an_unknown_key_leaves_nothing_behind(keyed: InProcess, path: str, body: bytes) -> None:
    reply = keyed.post(path, body)
    assert (reply.events, reply.rejects) == ([], [])


def test_who_has_a_key_finds_a_body_that_could_not_be_read_in_quarantine(keyed: InProcess) -> None:
    for body, headers in (
        (b'{"broken":', {"x_write_key": "pk_shop"}),
        (b'{"key": "pk_shop", "events": [', {}),
        (b'{"writeKey": "pk_shop", "batch": [', {"authorization": "x"}),
    ):
        reply = keyed.post("/v1/events", body, **headers)
        assert (reply.status, [each["reason"] for each in reply.rejects]) == (400, ["malformed_json"])


def test_a_body_that_is_too_large_is_known_by_the_key_in_its_beginning(keyed: InProcess) -> None:
    body = b'{"key": "pk_shop", "events": [' + b" " * 1_100_000
    [reject] = keyed.post("/v1/events", body).rejects
    assert (reject["reason"], reject["replayable"]) == ("body_too_large", False)


def test_rejects_above_the_budget_are_counted_and_the_events_beside_them_are_kept(keyed: InProcess) -> None:
    reply = keyed.post("/v1/events", [BAD] * 5 + [VIEW], x_write_key="pk_shop")
    assert (reply.status, len(reply.events), len(reply.rejects)) == (200, 1, 3)
    assert len(json.loads(reply.body)["rejected"]) == 5
    [lost] = keyed.metrics.rejects_lost.collect()
    assert [(each.labels, each.value) for each in lost.samples if each.name.endswith("_total")] == [
        ({"reason": "over_budget"}, 2.0)
    ]


def test_a_budget_fills_again_and_is_each_senders_own() -> None:
    now = [0.0]
    few = {"NEXTCLICK_COLLECTOR__REJECTS_PER_MINUTE": "2", "NEXTCLICK_COLLECTOR__REJECT_BYTES_PER_MINUTE": "1024"}
    budget = RejectBudget(load(environ=few).collector, lambda: now[0])
    assert [budget.admits("a", 10) for _ in range(3)] == [True, True, False]
    assert [budget.admits("b", size) for size in (2000, 1000, 1000)] == [False, True, False]
    now[0] = 30.0
    assert [budget.admits("a", 10) for _ in range(2)] == [True, False]
    for number in range(20_000):
        budget.admits(f"10.{number}", 1)
    assert not budget.admits("11.9999", 1), "strangers without end share some budgets"


def test_workers_count_rejects_together_and_no_stranger_takes_a_keys_budget(tmp_path: Path) -> None:
    few = {"NEXTCLICK_COLLECTOR__REJECTS_PER_MINUTE": "2", "NEXTCLICK_COLLECTOR__WRITE_KEYS": json.dumps(KEYS)}
    settings = load(environ=few).collector
    one, other = (RejectBudget(settings, lambda: 50.0, tmp_path) for _ in range(2))
    assert [budget.admits("10.1", 1) for budget in (one, other, one, other)] == [True, True, False, False]
    for number in range(20_000):
        one.admits(f"10.{number}", 1)
    assert other.admits("pk_shop", 1)


def test_a_cut_payload_is_not_replayable(tmp_path: Path) -> None:
    with in_process(tmp_path, NEXTCLICK_COLLECTOR__BODY_BYTES="2048") as app:
        plain = b'{"n":"' + "é".encode() * 2000
        [cut] = app.post("/v1/events", gzip.compress(plain)).rejects
        assert (cut["replayable"], len(cut["payload"].encode()) <= 2100) == (False, True)
        [large] = app.post("/v1/events", b" " * 3000).rejects
        assert not large["replayable"]
        [whole] = app.post("/v1/events", b'{"n":"').rejects
        assert "replayable" not in whole


def test_the_values_of_a_body_are_counted_before_they_are_read(tmp_path: Path) -> None:
    with in_process(tmp_path, NEXTCLICK_COLLECTOR__JSON_VALUES="1000") as app:
        for path in ("/v1/events", "/v1/batch", "/e"):
            reply = app.post(path, b"[" + b"[]," * 1000 + b"[]]")
            assert [each["reason"] for each in reply.rejects] == ["too_many_values"]
        assert app.post("/v1/events", [VIEW | {"name": "," * 900}]).status == 200


def test_where_segments_libraries_send_is_not_the_callers_to_say(tmp_path: Path) -> None:
    with in_process(tmp_path, KEYS, NEXTCLICK_COLLECTOR__PUBLIC_HOST="t.shop.example") as app:
        reply = app.ask("GET", "/v1/projects/pk_shop/settings", headers={"host": "evil.example"})
        assert json.loads(reply.body)["integrations"]["Segment.io"]["apiHost"] == "t.shop.example/v1"


def test_bodies_of_all_requests_have_one_memory() -> None:
    memory = BodyMemory(10)
    with memory.counting() as first, memory.counting() as second:
        first.take(6)
        with pytest.raises(Refused) as refused:
            second.take(6)
        assert refused.value.status == 503
    with memory.counting() as third:
        third.take(6)


def test_a_sink_that_is_up_again_is_said_to_be_at_once(tmp_path: Path) -> None:
    with in_process(tmp_path) as app:
        for is_up in (True, False, True, True):
            app.metrics.say_up(is_up)
            assert app.metrics.sink_up._value.get() == is_up


def test_a_body_without_room_is_sent_again(tmp_path: Path) -> None:
    with in_process(
        tmp_path, NEXTCLICK_COLLECTOR__BODIES_BYTES="1048576", NEXTCLICK_COLLECTOR__BODY_BYTES="2097152"
    ) as app:
        large, small = (b" " * size + json.dumps(VIEW).encode() for size in (1_500_000, 900_000))
        assert [app.post("/v1/events", body).status for body in (large, small, large, small)] == [503, 200, 503, 200]


def test_a_large_body_is_read_beside_the_loop_and_means_the_same(tmp_path: Path) -> None:
    with in_process(tmp_path) as app:
        reply = app.post("/v1/events", [VIEW | {"name": "x" * 100, "event_id": str(i)} for i in range(600)])
        assert (reply.status, len(reply.events)) == (200, 600)
        assert [each["event_id"] for each in reply.events] == [str(i) for i in range(600)]


@pytest.mark.parametrize("encoding", ["br", "zstd"])
def test_a_body_that_cannot_be_unpacked_is_held_to_every_limit_and_leaves_nothing(
    tmp_path: Path, encoding: str
) -> None:
    limits = {"NEXTCLICK_COLLECTOR__BODY_BYTES": "524288", "NEXTCLICK_COLLECTOR__BODIES_BYTES": "1048576"}
    with in_process(tmp_path, {}, **limits) as door:
        for _ in range(3):  # the room that a body took is free again
            reply = door.post("/v1/events", b"\x0b" * 500_000, content_encoding=encoding)
            assert (reply.status, reply.events, reply.rejects) == (415, [], [])
        assert door.post("/v1/events", b"\x0b" * 600_000, content_encoding=encoding).status == 413
        assert door.post("/v1/events", b"\x0b" * 1_100_000, content_encoding=encoding).status == 503
        assert door.post("/v1/events", VIEW).status == 200
