"""Records of the catalogue: what they say of an item, and a word that says nothing."""

import json

import pytest

from collector.dialects import catalogue
from collector.request.model import Request, RequestLimits


@pytest.mark.parametrize(
    ("word", "unread"),
    [(True, None), (0, None), ("Out of stock", None), ("", None), ("ask us", ["available"]), ([], None)],
)
def test_an_availability_that_nobody_can_read_is_named_and_the_record_stays(
    word: object, unread: list[str] | None
) -> None:
    body = json.dumps({"item_id": "lamp", "name": "Lamp", "available": word}).encode()
    request = Request(method="POST", path="/v1/items", body=body, received_at=1_795_341_600_000, token="t")
    (event,) = catalogue.parse(request, RequestLimits(batch_events=4, json_depth=8)).events
    assert (event.event, event.name, event.unread_fields) == ("item_update", "Lamp", unread)
