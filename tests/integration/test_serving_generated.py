"""Requests that no page would send, at every route of the OpenAPI document of a real server: always an answer, never a 5xx."""

import http.client
import json
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextclick.settings import load
from serving.api.openapi import document
from tests.api_process import answering
from tests.hypothesis_settings import generated
from tests.integration.test_serving import furnished
from tests.tracker_requests import json_of

OPERATIONS = [(path, method) for path, methods in document()["paths"].items() for method in methods]
FIELDS = sorted({name for schema in document()["components"]["schemas"].values() for name in schema["properties"]})
VALUES = (
    "lamp", "stool", "unheard", "light", "ann", "0", "1", "10", "1001", "-1", "1.5", "nan", "inf", "1e400", "true", "false",
    "", "item:lamp=2", "category:light=0", "item:=1", "\x00", "\ud800", "ﬀ", "a" * 300,
)  # fmt: skip
TEXT = st.sampled_from(VALUES) | st.text(max_size=6)
ITEM = TEXT | st.fixed_dictionaries(
    {"item_id": TEXT},
    optional={"price": st.floats() | st.integers(-1, 100), "category": TEXT, "available": st.booleans()},
)
BODIES = (
    st.fixed_dictionaries(
        {"items": st.lists(ITEM, max_size=5)},
        optional={
            "n": st.integers(0, 5),
            "price_max": st.floats(),
            "visitor_id": TEXT,
            "per_category": st.integers(0, 2),
            "boost": st.lists(TEXT, max_size=2),
            "explain": st.booleans(),
        },
    ).map(lambda value: json.dumps(value).encode())
    | json_of(*FIELDS).map(lambda value: json.dumps(value).encode())
    | st.binary(max_size=64)
)
HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "authorization": st.sampled_from(["Bearer a secret key of tests", "Bearer", "Basic \xe9"]),
        "origin": st.sampled_from(["https://a.example", "null"]),
        "x-read-key": st.sampled_from(["k", "\xe9"]),
        "content-encoding": st.sampled_from(["gzip", "identity", "br, gzip"]),
    },
)
FITTING = {
    "boolean": st.sampled_from(("true", "false")),
    "integer": st.integers(0, 30).map(str),
    "number": st.sampled_from(("0", "4.5", "900")),
    "array": st.sampled_from(("lamp", "light", "item:lamp=2")),
    "string": st.sampled_from(("ann", "lamp", "amb", "ambr")),
}


@cache
def queries(operation: tuple[str, str]) -> st.SearchStrategy[list[tuple[str, str]]]:
    """Queries of an operation: half of them of its own fields, mostly with values of their kind."""
    parameters = document()["paths"][operation[0]][operation[1]].get("parameters", [])
    own = [
        st.tuples(st.just(each["name"]), FITTING[kind] | FITTING[kind] | FITTING[kind] | TEXT)
        for each in parameters
        if each["in"] == "query"
        for kind in [each["schema"].get("type") or each["schema"]["anyOf"][0]["type"]]
    ]
    anything = st.lists(st.tuples(st.sampled_from(FIELDS) | TEXT, TEXT), max_size=4)
    return st.lists(st.one_of(own), max_size=3) | anything if own else anything


Ask = Callable[[str, str, dict[str, str], bytes | None], tuple[int, bytes]]


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    """`ask(method, address, headers, body)` over one connection: the status and the body."""
    lake = furnished(load(lake=tmp_path_factory.mktemp("generated") / "lake", environ={})).lake.root
    with answering(
        lake, NEXTCLICK_SERVING__SECRET_KEY="a secret key of tests", NEXTCLICK_SERVING__RECORD="false"
    ) as api:
        connection = http.client.HTTPConnection("127.0.0.1", api.port, timeout=10)

        def send(method: str, address: str, headers: dict[str, str], body: bytes | None) -> tuple[int, bytes]:
            connection.request(method, address, body, headers)
            reply = connection.getresponse()
            return reply.status, reply.read()

        yield send
        connection.close()


def holds(ask: Ask, call: Any, value: str, headers: Any, body: bytes) -> None:
    (path, method), query = call
    start, parameter, _ = path.partition("{")
    address = start + (_quoted(value) if parameter else "")
    if query:
        address += "?" + "&".join(f"{_quoted(name)}={_quoted(text)}" for name, text in query)
    status, said = ask(method.upper(), address, headers, body if method == "post" else None)
    assert status < 500, said
    said_of = document()["paths"][path][method]["responses"]
    assert str(status) in said_of or (status == 404 and parameter and not value), said
    answer = json.loads(said)
    assert status == 200 or set(answer) == {"error", "message"}


def _quoted(text: str) -> str:
    return quote(text.encode("utf-8", "surrogatepass"), safe="")


CALLS = st.sampled_from(OPERATIONS).flatmap(lambda operation: st.tuples(st.just(operation), queries(operation)))
REQUESTS = given(call=CALLS, value=TEXT, headers=HEADERS, body=BODIES)


@generated(200)
@REQUESTS
def test_generated_requests_are_all_answered(ask: Ask, call: Any, value: str, headers: Any, body: bytes) -> None:
    holds(ask, call, value, headers, body)


@pytest.mark.stress
@generated(25_000)
@REQUESTS
def test_twenty_five_thousand_generated_requests_are_all_answered(
    ask: Ask, call: Any, value: str, headers: Any, body: bytes
) -> None:
    holds(ask, call, value, headers, body)
