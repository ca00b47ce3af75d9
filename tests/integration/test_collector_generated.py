"""Requests that no tracker would send, at every route: always an answer, never the server's fault, one reject at most."""

import gzip
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.dialects import NAMES, Router, dialect
from tests.collector_app import InProcess, in_process
from tests.hypothesis_settings import generated
from tests.tracker_requests import json_of

WORDS = (
    *("events", "event", "batch", "data", "properties", "params", "token", "api_key", "writeKey", "type", "messageId"),
    *(
        "anonymousId",
        "userId",
        "user_id",
        "device_id",
        "distinct_id",
        "timestamp",
        "time",
        "sentAt",
        "items",
        "products",
    ),
    *("price", "e", "dtm", "stm", "ue_pr", "co", "d", "n", "u", "idsite", "requests", "action_name", "_id", "ec_items"),
    *("$identify", "$create_alias", "page_view", "purchase", "insert_id", "item_id"),
)
ROUTES = [
    (prefix + path.replace("*", "k"), method)
    for name in NAMES
    for path, methods in dialect(name).ROUTES.items()
    for method in (*methods, "OPTIONS")
    for prefix in ("", f"/{name}")
]
TEXT = st.text(max_size=8) | st.sampled_from(WORDS)
JSON = json_of(*WORDS).map(lambda value: json.dumps(value).encode())
FORM = st.dictionaries(TEXT, TEXT | JSON.map(lambda body: body.decode()), max_size=4).map(
    lambda fields: "&".join(f"{name}={value}" for name, value in fields.items()).encode("utf-8", "surrogatepass")
)
BODIES = JSON | FORM | JSON.map(gzip.compress) | st.binary(max_size=64) | st.lists(JSON, max_size=3).map(b"\n".join)
HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "content-type": st.sampled_from(
            ["application/json", "text/plain", "application/x-www-form-urlencoded", "a/b;", "é"]
        ),
        "content-encoding": st.sampled_from(["gzip", "deflate", "identity", "br", ""]),
        "authorization": st.sampled_from(["Basic azo=", "Basic !!", "Bearer k", "Bearer secret", "x"]),
        "origin": st.sampled_from(["https://a.example", "null", "\x7f"]),
        "user-agent": st.text(max_size=8).map(lambda text: text.encode("latin-1", "replace").decode("latin-1")),
        "sp-anonymous": st.just("*"),
    },
)


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InProcess]:
    with in_process(
        tmp_path_factory.mktemp("generated"),
        NEXTCLICK_COLLECTOR__SECRET_KEY="a secret key of tests",
        NEXTCLICK_COLLECTOR__REJECTS_PER_MINUTE="1000000",
    ) as running:
        yield running


def holds(app: InProcess, route: tuple[str, str], query: bytes, headers: dict[str, str], body: bytes) -> None:
    path, method = route
    reply = app.ask(method, path, query, headers, body)
    assert reply.status < 500
    assert "dialect_error" not in {reject["reason"] for reject in reply.rejects}
    assert reply.status not in (400, 413) or reply.rejects, "what was refused is on record"


REQUESTS = given(route=st.sampled_from(ROUTES), query=FORM, headers=HEADERS, body=BODIES)


@generated(300)
@REQUESTS
def test_generated_requests_are_all_answered(
    app: InProcess, route: Any, query: bytes, headers: Any, body: bytes
) -> None:
    holds(app, route, query, headers, body)


@pytest.mark.stress
@generated(25_000)
@REQUESTS
def test_twenty_five_thousand_generated_requests_are_all_answered(
    app: InProcess, route: Any, query: bytes, headers: Any, body: bytes
) -> None:
    holds(app, route, query, headers, body)


def test_every_route_of_every_dialect_is_among_them() -> None:
    router = Router()
    assert all(router.find(path) for path, _ in ROUTES)
    assert {route.name for path, _ in ROUTES for route in router.find(path)} == set(NAMES)
