"""Real requests with something wrong in them, at both doors: each is answered, none is the server's fault, none is slow.

A fixed seed makes the same requests on every machine. What is mutated are the bytes, the tokens of the JSON and
the parameters of requests as trackers and pages send them.
"""

import asyncio
import base64
import gc
import gzip
import json
import logging
import os
import random
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

import pytest

from benchmarks.measure import resident_mb
from nextclick.settings import load
from serving.api.app import ApiApp
from serving.engine import Engine
from serving.metrics import ServingMetrics
from tests.collector_app import InProcess, exchange, in_process
from tests.integration.test_serving import furnished

Ask = Callable[..., int]

TIME: Final = 1_795_341_600_000
URL: Final = "https://shop.example/lamp?utm_source=news&id=7#top"
ITEM: Final = {"product_id": "lamp", "price": 19.9, "quantity": 2, "name": "Lamp", "category": "light", "position": 1}
SNOWPLOW_ITEM: Final = {
    "schema": "iglu:com.snowplowanalytics.snowplow.ecommerce/product/jsonschema/1-0-0",
    "data": ITEM | {"id": "lamp"},
}
ACTION: Final = {
    "schema": "iglu:com.snowplowanalytics.snowplow/unstruct_event/jsonschema/1-0-0",
    "data": {
        "schema": "iglu:com.snowplowanalytics.snowplow.ecommerce/snowplow_ecommerce_action/jsonschema/1-0-2",
        "data": {"type": "add_to_cart"},
    },
}
CONTEXT: Final = {"schema": "iglu:com.snowplowanalytics.snowplow/contexts/jsonschema/1-0-1", "data": [SNOWPLOW_ITEM]}


class Sent(NamedTuple):
    """One request before it is mutated; a dict as its query is what its address says."""

    path: str
    body: Any
    query: Mapping[str, Any] = MappingProxyType({})
    method: str = "POST"


def _packed(value: Any) -> str:
    return base64.b64encode(json.dumps(value).encode()).decode()


MATOMO: Final = {
    "idsite": 1,
    "rec": 1,
    "_id": "0123456789abcdef",
    "url": URL,
    "urlref": URL,
    "action_name": "Lamp",
    "cdt": TIME // 1000,
    "ec_id": "o1",
    "revenue": "39.8",
    "ec_items": json.dumps([["lamp", "Lamp", "light", 19.9, 2]]),
}
PAGE: Final = {
    "e": "ue",
    "eid": "e1",
    "dtm": TIME,
    "stm": TIME,
    "duid": "v",
    "url": URL,
    "ue_px": _packed(ACTION),
    "cx": _packed(CONTEXT),
}
MIXPANEL: Final = {
    "event": "Product Viewed",
    "properties": {"token": "k", "distinct_id": "v", "time": TIME, "$insert_id": "e1", **ITEM},
}
POSTHOG: Final = {
    "event": "$pageview",
    "distinct_id": "v",
    "timestamp": "2026-11-22T10:00:00Z",
    "uuid": "019abcde-0000-7000-8000-000000000001",
    "properties": {"$lib": "web", "$device_id": "d", "$current_url": URL, "$prev_pageview_duration": 1.5, "token": "k"},
}
DOOR: Final = [
    Sent(
        "/v1/events",
        {
            "key": "k",
            "sent_at": TIME,
            "events": [{"event": "view_item", "visitor_id": "v", "timestamp": TIME, "page_url": URL, **ITEM}],
        },
    ),
    Sent(
        "/v1/events",
        [
            {
                "event": "click",
                "visitor_id": "v",
                "event_id": "e1",
                "client_time": TIME,
                "properties": {"ip": "203.0.113.9"},
            }
        ]
        * 2,
    ),
    Sent(
        "/v1/items",
        [{"item_id": "lamp", "price": "9.5", "currency": "EUR", "available": True, "attributes": {"watt": 40}}],
    ),
    Sent(
        "/v1/batch",
        {
            "sentAt": "2026-11-22T10:00:00Z",
            "context": {"ip": "203.0.113.9", "page": {"url": URL}},
            "batch": [
                {
                    "type": "track",
                    "event": "Order Completed",
                    "userId": "u",
                    "timestamp": "2026-11-22T10:00:00Z",
                    "properties": {"order_id": "o", "products": [ITEM, ITEM]},
                },
                {"type": "identify", "userId": "u", "anonymousId": "a", "traits": {"plan": "x"}},
            ],
        },
    ),
    Sent("/v1/p", {"anonymousId": "a", "messageId": "m", "properties": {"url": URL}, "writeKey": "k"}),
    Sent("/track", [MIXPANEL] * 2),
    Sent("/track", {"data": _packed(MIXPANEL)}),
    Sent("/engage", [{"$token": "k", "$distinct_id": "v", "$set": {"a": 1}, "$time": TIME}]),
    Sent(
        "/2/httpapi",
        {
            "api_key": "k",
            "client_upload_time": "2026-11-22T10:00:00Z",
            "events": [
                {
                    "event_type": "Purchase",
                    "device_id": "v",
                    "time": TIME,
                    "insert_id": "e1",
                    "ip": "$remote",
                    "event_properties": {"products": [ITEM]},
                }
            ],
        },
    ),
    Sent("/batch", {"api_key": "k", "sent_at": TIME, "batch": [POSTHOG]}),
    Sent("/e", {"data": _packed(POSTHOG)}, {"ip": 1, "_": TIME}),
    Sent("/e", b"", {"data": _packed(POSTHOG), "ip": 1}, "GET"),
    Sent(
        "/mp/collect",
        {
            "client_id": "v",
            "timestamp_micros": TIME * 1000,
            "events": [
                {
                    "name": "purchase",
                    "params": {"items": [{"item_id": "lamp", "price": 1}], "engagement_time_msec": 100},
                }
            ],
        },
        {"api_secret": "s"},
    ),
    Sent(
        "/api/event",
        {
            "n": "pageview",
            "u": URL,
            "d": "shop.example",
            "r": URL,
            "p": json.dumps({"item_id": "lamp"}),
            "$": {"amount": 9, "currency": "EUR"},
        },
    ),
    Sent("/matomo.php", b"", MATOMO, "GET"),
    Sent("/matomo.php", {"requests": ["?" + urlencode(MATOMO)], "token_auth": "t"}),
    Sent("/com.snowplowanalytics.snowplow/tp2", {"schema": "iglu:x", "data": [PAGE]}),
    Sent("/i", b"", PAGE, "GET"),
]
API: Final = [
    Sent(
        "/v1/personalize",
        b"",
        {"visitor_id": "ann", "n": 5, "price_max": 50, "boost": "item:lamp=2", "explain": "true"},
        "GET",
    ),
    Sent(
        "/v1/recommendations",
        b"",
        {"user_id": "ann", "categories": "light", "hide_seen": "true", "per_category": 1},
        "GET",
    ),
    Sent("/v1/similar/lamp", b"", {"n": 3, "deny": "stool"}, "GET"),
    Sent("/v1/popular", b"", {"available": "true", "price_min": 1}, "GET"),
    Sent("/v1/next-action", b"", {"visitor_id": "ann"}, "GET"),
    Sent("/v1/suggest", b"", {"q": "am", "n": 3}, "GET"),
    Sent(
        "/v1/rank",
        {
            "visitor_id": "ann",
            "items": ["lamp", {"item_id": "stool", "price": 9.5, "available": True}],
            "n": 2,
            "boost": ["item:lamp=2"],
        },
    ),
]
FORMS: Final = ("data",)
TOKENS: Final = (
    b"null",
    b"true",
    b"[]",
    b"{}",
    b'""',
    b"0",
    b"-1",
    b"1e999",
    b"1e999999",
    b"-0.0",
    b"NaN",
    b"Infinity",
    b"9" * 40,
    b"1" + b"0" * 400,
    b'"1e99999"',
    b'"NaN"',
    b'"\\ud800"',
    b'"\\u0000"',
    b'"undefined"',
    b'"0000-00-00"',
    b'"' + b"x" * 5000 + b'"',
    b"[" * 40 + b"]" * 40,
    b'{"a":' * 50 + b"1" + b"}" * 50,
    b"1795341600000000000",
    b'"2026-11-22T10:00:00+99:99"',
    b'"\xff\xfe"',
    b'"203.0.113.9, 10.0.0.1"',
    b'"\\u202e\\u001b[31m"',
    b'"{{User ID}}"',
    b'"CPXxRfAPXxRfAAfKABENB-CgAAAAAAAAAAYgAAAAAAAA"',
    b'",C0001,C0002,"',
    b"20261122100000",
    b"639000000000000000",
    b'{"amount":1e999,"currency":["EUR"]}',
    b'"0001-01-01T00:00:00Z"',
    b'"[[[[1,2]]]]"',
)
VALUES: Final = (
    "",
    "null",
    "1e999999",
    "-1",
    "%00",
    "\ud800",
    "x" * 5000,
    "[]",
    "{}",
    "NaN",
    "9" * 40,
    "2001:db8::9",
    "\x1b[31m",
    "a=b&c=d",
    "%25%32%35",
    "*|UNIQID|*",
    "a&amp;b=c",
)
ENCODINGS: Final = ("", "", "", "gzip", "deflate", "gzip, gzip", "br", "identity", "none, utf8")
AGENTS: Final = ("Mozilla/5.0 (X11; Linux x86_64) Chrome/142.0", "", "curl/8", "\xff\xfe", "x" * 9000)


def mutated(draw: random.Random, body: bytes) -> bytes:
    """The body with one to three things wrong in it."""
    for _ in range(draw.randint(1, 3)):
        place = draw.randrange(len(body) + 1)
        match draw.randrange(8):
            case 0:
                body = body[:place]
            case 1:
                body = body[:place] + bytes([draw.randrange(256)]) + body[place + 1 :]
            case 2:
                body = body[:place] + draw.choice(TOKENS) + body[place:]
            case 3:
                end = place + draw.randrange(40)
                body = body[:place] + body[end:]
            case 4:
                end = place + draw.randrange(200)
                body = body[:end] + body[place:]
            case _:
                body = _with_another_value(draw, body)
    return body


def _with_another_value(draw: random.Random, body: bytes) -> bytes:
    """The body with another value behind one of its colons."""
    colons = [place for place, byte in enumerate(body) if byte == 0x3A]
    if not colons:
        return body + draw.choice(TOKENS)
    start = draw.choice(colons) + 1
    end = min((place for mark in b",}]" if (place := body.find(mark, start)) >= 0), default=len(body))
    return body[:start] + draw.choice(TOKENS) + body[end:]


def requests(seed: int, count: int, samples: list[Sent]) -> Iterator[tuple[str, str, bytes, dict[str, str], bytes]]:
    """Mutated requests: method, path, query, headers and body."""
    draw = random.Random(seed)
    for _ in range(count):
        sent = draw.choice(samples)
        parameters = dict(sent.query)
        if parameters and draw.random() < 0.7:
            parameters[draw.choice([*parameters])] = draw.choice(VALUES)
        query = urlencode(parameters, errors="surrogatepass").encode()
        is_form = isinstance(sent.body, dict) and sent.body.keys() <= {*FORMS}
        body = sent.body if isinstance(sent.body, bytes) else json.dumps(sent.body).encode()
        body = urlencode(sent.body).encode() if is_form else body
        if body and draw.random() < 0.95:
            body = mutated(draw, body)
        elif query and draw.random() < 0.5:
            query = mutated(draw, query)
        headers = {"user-agent": draw.choice(AGENTS), "content-encoding": draw.choice(ENCODINGS)}
        if body and draw.random() < 0.05:
            body = json.dumps(body.decode("latin-1")).encode()
        if body and draw.random() < 0.2:
            body = draw.choice((gzip.compress, zlib.compress))(body)
            body = mutated(draw, body) if draw.random() < 0.3 else body
        if draw.random() < 0.05:
            headers |= {"sp-anonymous": "*", "authorization": "Basic !!", "sec-gpc": "1"}
        if sent.path == "/v1/items":
            headers["authorization"] = "Bearer a secret key of tests"
        yield sent.method, sent.path, query, headers, body


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[InProcess]:
    with in_process(tmp_path, NEXTCLICK_COLLECTOR__SECRET_KEY="a secret key of tests") as running:
        yield running


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Ask]:
    """The API over five items: the status that it answers a request with."""
    (tmp_path / "counts").mkdir()
    settings = load(tmp_path / "lake", environ={"NEXTCLICK_SERVING__RECORD": "false"})
    furnished(settings)
    loop = asyncio.new_event_loop()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path / "counts"))
        metrics = ServingMetrics()
        engine = Engine(settings, metrics)
        app = ApiApp(settings, engine, metrics)

        async def within() -> None:
            engine.start()

        loop.run_until_complete(within())
        yield lambda *request: loop.run_until_complete(exchange(app, *request))[0]
        engine.close()
        loop.close()


def hold(ask: Ask, seed: int, count: int, samples: list[Sent]) -> list[float]:
    """Send them all, each with its method, path, query, headers and body; the processor time (s) that each of them took."""
    spent = []
    for number, request in enumerate(requests(seed, count, samples)):
        start = time.process_time()
        status = ask(*request)
        spent.append(time.process_time() - start)
        assert 200 <= status < 500, (number, request)
    return spent


def answered(collector: InProcess, statuses: Counter[int]) -> Ask:
    def ask(*request: Any) -> int:
        reply = collector.ask(*request)
        statuses[reply.status] += 1
        assert "dialect_error" not in {reject["reason"] for reject in reply.rejects}, request
        return reply.status

    return ask


def test_four_thousand_mutated_requests_to_the_collector_are_all_answered(
    collector: InProcess, caplog: pytest.LogCaptureFixture
) -> None:
    statuses: Counter[int] = Counter()
    with caplog.at_level(logging.ERROR):
        hold(answered(collector, statuses), 16, 4_000, DOOR)
    assert not caplog.records
    assert min(statuses[200], statuses[400]) > 400, "some get past the reading of JSON, some do not"


def test_a_thousand_mutated_requests_to_the_api_are_all_answered(api: Ask, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        hold(api, 17, 1_000, API)
    assert not caplog.records


@pytest.mark.stress
@pytest.mark.parametrize("door", ["collector", "api"])
def test_a_hundred_thousand_take_little_time_each_and_no_more_memory(door: str, request: pytest.FixtureRequest) -> None:
    running = request.getfixturevalue(door)
    ask = answered(running, Counter()) if door == "collector" else running
    samples = DOOR if door == "collector" else API
    hold(ask, 1, 20_000, samples)
    before = resident_mb(os.getpid())
    gc.disable()  # of the tests' own heap, a full collection alone takes that long
    try:
        spent = hold(ask, 2, 80_000, samples)
    finally:
        gc.enable()
    gc.collect()
    assert max(spent) <= 0.25
    assert resident_mb(os.getpid()) <= before * 1.1
