"""A 200 hides no record: what is not in the log is named by each dialect that can, and a fault costs its record alone."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from collector.dialects import amplitude, plain, plain_fast, posthog, segment, snowplow
from tests.collector_app import InProcess, in_process

TIME = 1_795_341_600_000
VIEW = {"event": "view_item", "visitor_id": "v1", "item_id": "lamp", "timestamp": TIME}


@pytest.fixture
def app(tmp_path: Path) -> Iterator[InProcess]:
    with in_process(tmp_path, NEXTCLICK_LANDING__MAX_EVENT_BYTES="2000") as running:
        yield running


def spoken(*kinds: str) -> dict[str, Any]:
    """A body of each dialect that answers in JSON, with one event of each kind."""
    return {
        "/v1/events": [VIEW | {"event": kind} for kind in kinds],
        "/v1/batch": {"batch": [{"type": "track", "event": kind, "anonymousId": "v"} for kind in kinds]},
        "/2/httpapi": {"api_key": "k", "events": [{"event_type": kind, "device_id": "v"} for kind in kinds]},
        "/batch": {"api_key": "k", "batch": [{"event": kind, "distinct_id": "v"} for kind in kinds]},
        "/import": [{"event": kind, "properties": {"distinct_id": "v"}} for kind in kinds],
    }


@pytest.mark.parametrize("path", spoken())
def test_a_reserved_kind_is_named_in_the_answer(app: InProcess, path: str) -> None:
    reply = app.post(path, spoken("view_item", "served", "item_update")[path])
    said = json.loads(reply.body)
    assert (len(reply.events), [each["reason"] for each in reply.rejects]) == (1, ["reserved_kind"] * 2)
    assert [each["error"] for each in said["rejected"]] == ["reserved_kind"] * 2
    assert {said[name] for name in ("accepted", "events_ingested", "num_records_imported") if name in said} <= {1}


@pytest.mark.parametrize("path", spoken())
def test_a_record_that_is_no_event_is_named_in_the_answer(app: InProcess, path: str) -> None:
    body = spoken("view_item", "")[path]
    reply = app.post(path, body, "strict=1")
    assert (len(reply.events), [each["reason"] for each in reply.rejects]) == (1, ["missing_event"])
    said = json.loads(reply.body)
    named = [said.get(name) for name in ("rejected", "events_with_invalid_fields", "failed_records")]
    assert [len(each) for each in named if each] == [1]


def test_an_event_that_is_too_large_is_named(app: InProcess) -> None:
    large = VIEW | {"properties": {f"p{i}": "x" * 400 for i in range(10)}}
    reply = app.post("/v1/events", [large, VIEW])
    assert (reply.status, json.loads(reply.body)["accepted"]) == (200, 1)
    assert [each["error"] for each in json.loads(reply.body)["rejected"]] == ["too_large"]


FAULTS = {
    "/v1/events": (plain, [VIEW | {"name": name, "event_id": name} for name in ("a", "fault", "c")]),
    "/v1/batch": (segment, {"batch": [{"type": "page", "anonymousId": "v", "messageId": name} for name in ("a", "fault", "c")]}),
    "/2/httpapi": (amplitude, {"events": [{"event_type": "e", "device_id": "v", "insert_id": name} for name in ("a", "fault", "c")]}),
    "/batch": (posthog, {"api_key": "k", "batch": [{"event": "e", "distinct_id": "v", "uuid": name} for name in ("a", "fault", "c")]}),
    "/com.snowplowanalytics.snowplow/tp2": (
        snowplow, {"schema": "x", "data": [{"e": "pv", "duid": "v", "eid": name} for name in ("a", "fault", "c")]},
    ),
}  # fmt: skip


@pytest.mark.parametrize("path", FAULTS)
def test_a_fault_of_ours_costs_the_record_that_shows_it_and_one_line_of_the_log(
    app: InProcess, path: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    dialect, body = FAULTS[path]
    name = "_event" if dialect is plain else "_events"
    understood = getattr(dialect, name)

    def faulty(*arguments: Any) -> Any:
        if any("fault" in value.values() for value in arguments if isinstance(value, dict)):
            raise ZeroDivisionError("a\nforged line")
        return understood(*arguments)

    monkeypatch.setattr(dialect, name, faulty)
    monkeypatch.setattr(plain_fast, "parse", lambda *_: None)
    with caplog.at_level(logging.ERROR, "_granian.collector"):
        replies = [app.post(path, body) for _ in range(3)]
    for reply in replies:
        assert reply.status == 200
        assert [event["event_id"] for event in reply.events] == ["a", "c"]
        [reject] = reply.rejects
        assert (reject["reason"], "fault" in reject["payload"], '"a"' in reject["payload"]) == (
            "dialect_error",
            True,
            False,
        )
    [line] = caplog.records
    assert "ZeroDivisionError" in line.getMessage()
    assert "forged" not in caplog.text
    assert "Traceback" not in caplog.text


def test_lines_are_understood_one_by_one_too(app: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    understood = plain._event

    def faulty(request: Any, values: Any, *rest: Any) -> Any:
        if values.get("name") == "fault":
            raise ZeroDivisionError
        return understood(request, values, *rest)

    monkeypatch.setattr(plain, "_event", faulty)
    monkeypatch.setattr(plain_fast, "parse", lambda *_: None)
    lines = [json.dumps(VIEW | {"name": name, "event_id": name}).encode() for name in ("a", "fault", "c")]
    reply = app.post("/v1/events", b"\n".join(lines))
    assert [event["event_id"] for event in reply.events] == ["a", "c"]
    assert [reject["reason"] for reject in reply.rejects] == ["dialect_error"]
