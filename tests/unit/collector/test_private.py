"""What leaves the door holds no whole address and no secret, whichever tracker brought it and whatever became of it."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import msgspec
import pytest

from collector.http.write_keys import Keys
from collector.replay.replay import _request
from nextclick.contracts.events import Reject
from nextclick.settings import WriteKey, load
from tests.collector_app import InProcess, in_process

IP, IP6, SECRET = "198.51.100.7", "2001:db8:1:2::9", "hunter2"
URL = f"https://ann:{SECRET}@shop.example/reset?token={SECRET}&ip={IP}&lang=de#access_token={SECRET}"
CLEAN = "https://shop.example/reset?ip=198.51.0.0&lang=de"
TIME = 1_795_341_600_000
SNOWPLOW = "/com.snowplowanalytics.snowplow/tp2"


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InProcess]:
    with in_process(tmp_path_factory.mktemp("private")) as running:
        yield running


def packed(value: Any) -> str:
    return base64.b64encode(json.dumps(value).encode()).decode()


PROPERTIES = {"client_ip": IP, "six": IP6, "password": SECRET, "nested": {"ip": IP, "api_secret": SECRET}, "link": URL}
PLAIN = {"event": "x", "visitor_id": "v", "timestamp": TIME, "page_url": URL, "referrer": URL, "properties": PROPERTIES}
SEGMENT = {
    "type": "track", "event": "x", "anonymousId": "v", "properties": PROPERTIES, "writeKey": "k",
    "context": {"ip": IP, "device": {"ip": IP}, "page": {"url": URL, "referrer": URL}},
}  # fmt: skip
MIXPANEL = [{"event": "x", "properties": PROPERTIES | {"distinct_id": "v", "ip": IP, "$ip": IP, "$current_url": URL}}]
POSTHOG = {
    "api_key": "k",
    "batch": [{"event": "x", "distinct_id": "v", "properties": PROPERTIES | {"$ip": IP, "ip": IP}}],
}
AMPLITUDE = {
    "api_key": "k",
    "events": [{"event_type": "x", "device_id": "v", "ip": IP, "event_properties": PROPERTIES}],
}
GA4 = {"client_id": "v", "events": [{"name": "x", "params": PROPERTIES | {"ip_override": IP, "page_location": URL}}]}
PLAUSIBLE = {"n": "x", "d": "shop.example", "u": URL, "r": URL, "p": json.dumps(PROPERTIES)}
MATOMO = urlencode({"idsite": 1, "url": URL, "urlref": URL, "cip": IP6, "token_auth": SECRET, "dimension1": IP6})
CONTEXT = {"schema": "iglu:a/b/c/1-0-0", "data": [{"schema": "iglu:a/b/c/1-0-0", "data": PROPERTIES}]}
PAGE = {"e": "pv", "duid": "v", "url": URL, "refr": URL, "ip": IP, "cx": packed(CONTEXT)}
REQUESTS = [
    ("/v1/events", PLAIN, ""),
    ("/v1/t", SEGMENT, ""),
    ("/track", MIXPANEL, ""),
    ("/batch", POSTHOG, ""),
    ("/2/httpapi", AMPLITUDE, ""),
    ("/mp/collect", GA4, f"api_secret={SECRET}&measurement_id=G-1"),
    ("/api/event", PLAUSIBLE, ""),
    ("/matomo.php", MATOMO.encode(), ""),
    (SNOWPLOW, {"schema": "x", "data": [PAGE]}, ""),
]
GOODS = pytest.mark.parametrize(("path", "body", "query"), REQUESTS, ids=[path for path, _, _ in REQUESTS])


def left(records: list[dict[str, Any]]) -> set[str]:
    """Which of what must not be kept is there, plain or encoded."""
    text = json.dumps(records)
    layers = [text, *(base64.b64decode(part + "===").decode() for part in text.split('"') if part[:3] == "eyJ")]
    return {word for word in (IP, IP6, quote(IP6), SECRET) for layer in layers if word in layer}


@GOODS
def test_an_accepted_event_holds_nothing_of_it(app: InProcess, path: str, body: Any, query: str) -> None:
    reply = app.post(path, body, query, user_agent="Mozilla/5.0")
    assert reply.events
    assert not left(reply.events)
    assert {each["page_url"] for each in reply.events if "page_url" in each} <= {CLEAN}


def test_nor_does_a_field_that_no_event_has(app: InProcess) -> None:
    event = {"event": "x", "visitor_id": "v", "timestamp": TIME, "password": SECRET, "six": IP6}
    [kept] = app.post("/v1/events", event).events
    assert kept["properties"] == {"password": "***", "six": "2001:db8:1::"}


@GOODS
def test_nor_does_a_body_that_is_cut_in_the_middle(app: InProcess, path: str, body: Any, query: str) -> None:
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    for place in (len(sent) // 2, len(sent) - 1):
        reply = app.post(path, sent[:place], query, user_agent="Mozilla/5.0")
        assert not left(reply.events + reply.rejects)
    assert not left(app.post(path, sent.replace(b".", b"\\u002e")[:-1], query).rejects)


@pytest.mark.parametrize(
    ("path", "body", "query"),
    [
        ("/v1/events", [PLAIN | {"timestamp": "soon"}], ""),
        ("/v1/events", [PLAIN | {"timestamp": f"soon, said {IP} of token={SECRET}"}], ""),
        ("/v1/t", SEGMENT | {"timestamp": "soon"}, ""),
        ("/mp/collect", GA4 | {"timestamp_micros": "soon"}, f"api_secret={SECRET}"),
        (SNOWPLOW, {"schema": "x", "data": [PAGE | {"e": "what"}]}, ""),
        ("/matomo.php", (MATOMO + "&cdt=soon").encode(), f"token_auth={SECRET}"),
    ],
)
def test_nor_does_a_record_that_was_refused(app: InProcess, path: str, body: Any, query: str) -> None:
    reply = app.post(path, body, query)
    assert [each["reason"] for each in reply.rejects] in (["bad_time"], ["unknown_type"])
    assert not left(reply.rejects)


def test_nor_does_what_came_in_the_address(app: InProcess) -> None:
    for path, query in (
        ("/i", urlencode(PAGE | {"e": "what"})),
        ("/matomo.php", MATOMO + "&cdt=soon"),
        ("/e", f"data=@&ip={IP}"),
    ):
        reply = app.ask("GET", path, query.encode())
        assert reply.rejects
        assert not left(reply.rejects)


def test_a_refused_address_is_kept_once_and_replayed_from_there(app: InProcess) -> None:
    query = urlencode({"e": "what", "duid": "v", "url": "https://shop.example/" + "x" * 3000})
    [reject] = app.ask("GET", "/i", query.encode()).rejects
    assert "query" not in reject["request"]
    again = _request(Reject(**reject), TIME, "id")
    assert (again.method, again.query, again.body) == ("GET", query, b"")


def test_an_anonymous_request_leaves_no_id_of_its_network(app: InProcess) -> None:
    sent = json.dumps(
        {"schema": "x", "data": [{"e": "pv", "nuid": "net-id", "tnuid": "net-id", "ip": IP, "duid": "v"}]}
    ).encode()
    for body in (sent, sent[:-1], sent.replace(b'"pv"', b'"what"')):
        reply = app.post(SNOWPLOW, body, "nuid=net-id", sp_anonymous="*", user_agent="Mozilla/5.0")
        kept = json.dumps(reply.events + reply.rejects)
        assert "net-id" not in kept
        assert "anonymous_id" not in kept
        assert '"ip"' not in kept


def test_a_hash_of_the_key_is_kept_and_the_key_is_not(tmp_path: Path) -> None:
    with in_process(tmp_path, {SECRET: {"site": "shop"}}) as app:
        [reject] = app.post("/mp/collect", GA4 | {"timestamp_micros": "soon"}, f"api_secret={SECRET}").rejects
        assert not left([reject])
        keys = Keys(msgspec.structs.replace(load(environ={}).collector, write_keys={SECRET: WriteKey(site="shop")}))
        assert keys.known(_request(Reject(**reject), TIME, "id").key_hash) == SECRET


def test_headers_and_queries_do_not_grow_with_the_events_that_repeat_them(app: InProcess) -> None:
    long = "x" * 60_000
    events = [{"event": "e", "visitor_id": "v", "timestamp": TIME, "event_id": str(i)} for i in range(300)]
    reply = app.post("/v1/events", events, user_agent="Mozilla/5.0 " + long)
    assert (len(reply.events), max(len(json.dumps(event)) for event in reply.events) < 1300) == (300, True)
    bad = [event | {"timestamp": "soon"} for event in events[:50]]
    reply = app.post("/v1/events", bad, f"a={long}&b=1&" + "c=2&" * 1000, user_agent="Mozilla/5.0 " + long)
    assert len(reply.rejects) == 50
    assert max(len(json.dumps(reject)) for reject in reply.rejects) < 3000
