"""What becomes durable of events that are kept as they stand is what the long way makes of them."""

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from collector.dialects import choose
from collector.http import intake as intakes
from collector.http.intake import Intake
from collector.http.write_keys import Keys
from nextclick.contracts.events import encode
from nextclick.settings import WriteKey, load
from tests.tracker_requests import NOW, request

PLAIN = {"event": "view_item", "visitor_id": "v1", "item_id": "lamp", "event_id": "e1", "timestamp": NOW}
BODIES: tuple[Any, ...] = (
    [PLAIN, PLAIN | {"visitor_id": None, "user_id": "u1"}],
    PLAIN,
    PLAIN | {"price": "dear"},
    PLAIN | {"page_url": "https://a.example/?token=secret"},
    [PLAIN, PLAIN | {"properties": {"ip": "203.0.113.9", "user_signature": "s"}}],
    [PLAIN, PLAIN | {"event": "served"}],
    [PLAIN, PLAIN | {"name": "x" * 3000}],
    [PLAIN, {"event": "view_item"}],
    [PLAIN, PLAIN | {"event": "served"}, PLAIN | {"item_id": "bulb"}],
    [],
)


@pytest.mark.parametrize(
    "keys", [{}, {"k": WriteKey(site="shop")}, {"k": WriteKey(site="shop", kinds=("view_item",), users=False)}]
)
@pytest.mark.parametrize("body", BODIES)
def test_the_short_way_gives_what_the_long_way_gives(
    body: Any, keys: Mapping[str, WriteKey], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load(environ={"NEXTCLICK_LANDING__MAX_EVENT_BYTES": "2048"})
    settings = msgspec.structs.replace(settings, collector=msgspec.structs.replace(settings.collector, write_keys=keys))
    intake = Intake(settings, Keys(settings.collector))
    sent = request("/v1/events", body, x_write_key="k")
    ways = [intake.take(*choose(intake.routes(sent.path), sent))]
    monkeypatch.setattr(Intake, "_as_they_stand", lambda *_: 0)
    ways.append(intake.take(*choose(intake.routes(sent.path), sent)))
    assert ways[0] == ways[1]
    assert len(ways[0][1].events) + len(ways[0][1].rejects) == (len(body) if isinstance(body, list) else 1)


def test_no_event_is_encoded_twice_because_another_one_goes_the_long_way(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load(environ={})
    intake = Intake(settings, Keys(settings.collector))
    sent = request("/v1/events", [PLAIN, PLAIN, PLAIN | {"colour": "red"}, PLAIN])
    encoded: list[Any] = []

    def counted(event: Any) -> bytes:
        encoded.append(event)
        return encode(event)

    monkeypatch.setattr(intakes, "encode", counted)
    _, batch = intake.take(*choose(intake.routes(sent.path), sent))
    assert len(batch.events) == len(encoded) == 4
