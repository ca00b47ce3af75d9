"""Plausible's requests by hand: what each becomes, and what its script is told."""

import json
from typing import Any

import pytest
from hypothesis import given

from collector.dialects import plausible
from collector.request.model import Refused
from nextclick.contracts.events import Event
from tests.tracker_requests import CHROME, json_of, parsed, request, survives

PAGE = {"n": "pageview", "u": "https://shop.example/a", "d": "shop.example", "r": "https://b.example/"}


def only(**fields: Any) -> Event:
    found = parsed(request("/api/event", PAGE | fields, content_type="text/plain"))
    assert not found.rejects, found.rejects
    assert (found.answer.status, found.answer.headers, found.key) == (202, (), "shop.example")
    (event,) = found.events
    return event


def test_a_page_view_carries_its_page_and_referrer() -> None:
    event = only(p={"theme": "dark"}, v=21)
    assert (event.event, event.page_url, event.referrer) == (
        "page_view",
        "https://shop.example/a",
        "https://b.example/",
    )
    assert (event.user_agent, event.properties) == (CHROME, {"theme": "dark", "v": "21"})


def test_long_names_mean_the_same() -> None:
    body = {"name": "Signup", "url": "https://shop.example/", "domain": "shop.example", "props": '{"plan": "pro"}'}
    (event,) = parsed(request("/api/event", body)).events
    assert (event.event, event.page_url, event.properties) == ("Signup", "https://shop.example/", {"plan": "pro"})


def test_a_visitor_is_one_a_site_and_day() -> None:
    assert only().visitor_id == only(n="Signup").visitor_id
    other = parsed(request("/api/event", PAGE | {"d": "other.example"})).events[0]
    assert other.visitor_id not in (None, only().visitor_id)


def test_engagement_says_how_long_and_how_far() -> None:
    event = only(n="engagement", e=1500, sd=60)
    assert (event.event, event.dwell_ms, event.scroll_pct) == ("engagement", 1500, 60)


@pytest.mark.parametrize("name", ["$", "revenue"])
def test_revenue_is_the_price(name: str) -> None:
    event = only(n="Purchase", p={"item_id": "i1"}, **{name: {"currency": "USD", "amount": "1322.22"}})
    assert (event.event, event.item_id, event.price, event.currency) == ("purchase", "i1", "1322.22", "USD")


def test_revenue_is_of_the_whole_order() -> None:
    event = only(n="Purchase", p={"item_id": "i1", "quantity": 3}, revenue={"currency": "USD", "amount": 30})
    assert (event.price, event.quantity, event.properties) == ("30", None, {"quantity": "3"})


def test_what_is_no_event_is_answered_with_202_and_called_dropped() -> None:
    found = parsed(request("/api/event", {"u": "https://shop.example/", "d": "shop.example"}))
    assert (found.answer.status, dict(found.answer.headers)) == (202, {"x-plausible-dropped": "1"})
    (reject,) = found.rejects
    assert (reject.reason, json.loads(reject.payload)["d"]) == ("missing_event", "shop.example")


def test_what_cannot_be_read_is_answered_with_202_too() -> None:
    sent = request("/api/event", b"n=pageview")
    with pytest.raises(Refused) as refused:
        parsed(sent)
    answer = plausible.refuse(sent, refused.value)
    assert (answer.status, dict(answer.headers)) == (202, {"x-plausible-dropped": "1"})


@given(json_of("n", "name", "u", "d", "p", "props", "$", "revenue", "amount", "sd", "e", "items"))
def test_no_json_breaks_it(body: Any) -> None:
    survives(request("/api/event", body))
