"""Requests that no tracker would send, at every route: always an answer, never the server's fault, one reject at most."""

import asyncio
import gzip
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.dialects import NAMES, Router, dialect
from collector.http.app import CollectorApp
from collector.http.metrics import CollectorMetrics
from collector.sinks import RequestBatch
from nextclick.settings import load
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


class Memory:
    """A sink that remembers why it was given rejects."""

    def __init__(self) -> None:
        self.reasons: list[str] = []

    async def write(self, batch: RequestBatch) -> None:
        self.reasons += batch.reasons

    async def probe(self) -> None: ...

    async def close(self) -> None: ...


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """`ask(route, query, headers, body)`: the status that the door answers, and why it rejected what."""
    folder = tmp_path_factory.mktemp("generated")
    (folder / "counts").mkdir()
    chosen = load(folder / "lake", environ={"NEXTCLICK_COLLECTOR__SECRET_KEY": "a secret key of tests"})
    chosen.lake.prepare()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PROMETHEUS_MULTIPROC_DIR", str(folder / "counts"))
        door, loop = CollectorApp(chosen, lambda _: Memory(), CollectorMetrics()), asyncio.new_event_loop()
        yield lambda *request: loop.run_until_complete(_ask(door, *request))
        loop.close()


async def _ask(
    door: CollectorApp, route: tuple[str, str], query: bytes, headers: dict[str, str], body: bytes
) -> tuple[int, Memory]:
    path, method = route
    sink = door._sink = Memory()
    parts = [{"type": "http.request", "body": body[:9], "more_body": True}, {"type": "http.request", "body": body[9:]}]
    said: list[Any] = []

    async def receive() -> Any:
        return parts.pop(0)

    async def send(message: Any) -> None:
        said.append(message)

    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": query,
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in headers.items()],
        "client": ("203.0.113.9", 1),
    }
    await door(scope, receive, send)
    return said[0]["status"], sink


def holds(ask: Any, route: tuple[str, str], query: bytes, headers: dict[str, str], body: bytes) -> None:
    status, sink = ask(route, query, headers, body)
    assert status < 500
    assert "dialect_error" not in sink.reasons
    assert status not in (400, 413) or sink.reasons, "what was refused is on record"


REQUESTS = given(route=st.sampled_from(ROUTES), query=FORM, headers=HEADERS, body=BODIES)


@generated(2_000)
@REQUESTS
def test_two_thousand_generated_requests_are_all_answered(
    ask: Any, route: Any, query: bytes, headers: Any, body: bytes
) -> None:
    holds(ask, route, query, headers, body)


@pytest.mark.stress
@generated(25_000)
@REQUESTS
def test_twenty_five_thousand_generated_requests_are_all_answered(
    ask: Any, route: Any, query: bytes, headers: Any, body: bytes
) -> None:
    holds(ask, route, query, headers, body)


def test_every_route_of_every_dialect_is_among_them() -> None:
    router = Router()
    assert all(router.find(path) for path, _ in ROUTES)
    assert {route.name for path, _ in ROUTES for route in router.find(path)} == set(NAMES)
