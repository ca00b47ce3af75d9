"""A time with an absurd exponent costs the event that says it, and nobody else."""

from typing import Any

import pytest

from tests.tracker_requests import parsed, request

ABSURD = ("1e400000", "1e999900", "1e9999999", "-1e9999999", "1e-9999999", "9" * 5000)


@pytest.mark.parametrize("time", ABSURD)
def test_the_good_events_of_its_batch_are_taken(time: str) -> None:
    good: dict[str, Any] = {
        "event": "view_item",
        "user_id": "1",
        "item_id": "lamp",
        "timestamp": "2026-01-01T00:00:00Z",
    }
    for name in ("timestamp", "sent_at", "occurred_at"):
        read = parsed(request("/v1/events", [good, good | {name: time}, good]))
        is_needed = name == "timestamp"
        assert len(read.events) == 2 + (not is_needed)
        assert [reject.reason for reject in read.rejects] == ["bad_time"] * is_needed
        assert [event.unread_fields for event in read.events if event.unread_fields] == [[name]] * (not is_needed)


@pytest.mark.parametrize("time", ABSURD)
@pytest.mark.parametrize(
    ("path", "query"),
    [("/i", "e=pv&duid=v&aid=shop&p=web&dtm={}"), ("/matomo.php", "idsite=1&_id=0123456789abcdef&url=https://shop.example/&cdt={}")],
)  # fmt: skip
def test_a_pixel_says_it_and_is_a_reject(path: str, query: str, time: str) -> None:
    read = parsed(request(path, b"", query.format(time), "GET"))
    assert [reject.reason for reject in read.rejects] == ["bad_time"]
    assert not read.events


@pytest.mark.parametrize("time", ABSURD)
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/track", {"type": "track", "event": "Product Viewed", "userId": "1", "originalTimestamp": "TIME"}),
        ("/batch/", {"api_key": "k", "batch": [{"event": "$pageview", "distinct_id": "1", "timestamp": "TIME"}]}),
        ("/2/httpapi", {"api_key": "k", "events": [{"event_type": "view", "device_id": "1", "time": "TIME"}]}),
        ("/track", [{"event": "view", "properties": {"distinct_id": "1", "token": "t", "time": "TIME"}}]),
        (
            "/mp/collect",
            {"client_id": "1", "timestamp_micros": "TIME", "events": [{"name": "page_view", "params": {}}]},
        ),
    ],
)
def test_a_tracker_says_it_and_no_dialect_fails(path: str, body: Any, time: str) -> None:
    def with_time(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: with_time(inner) for name, inner in value.items()}
        return [with_time(inner) for inner in value] if isinstance(value, list) else time if value == "TIME" else value

    read = parsed(request(path, with_time(body)))
    assert len(read.events) + len(read.rejects) == 1
