"""Requests of trackers, written out by hand."""

import base64
import json
from typing import Any, Final

from hypothesis import strategies as st

from collector.dialects import Router, choose
from collector.request.model import Parsed, Refused, Request, RequestLimits
from nextclick.settings import load

NOBODY: Final = load(environ={}).events.nobody_words
NOW: Final = 1_767_225_600_000
"""When each request arrives: 2026-01-01T00:00:00Z."""
LIMITS: Final = RequestLimits(batch_events=100, json_depth=32)
CHROME: Final = "Mozilla/5.0 (X11; Linux x86_64) Chrome/142.0"


def request(path: str, body: Any = b"", query: str = "", method: str = "POST", **headers: str) -> Request:
    """POST bytes, or anything else as JSON, from a browser."""
    return Request(
        method=method,
        path=path,
        query=query,
        headers={"user-agent": CHROME} | {name.replace("_", "-"): value for name, value in headers.items()},
        body=body if isinstance(body, bytes) else json.dumps(body).encode(),
        received_at=NOW,
        token="token",
        nobody=NOBODY,
        ip="203.0.0.0",
        anonymous_id="stranger",
    )


def chosen(incoming: Request) -> str:
    """The dialect that takes the request."""
    return choose(Router().find(incoming.path), incoming)[0].name


def parsed(incoming: Request) -> Parsed:
    """What the request's own dialect makes of it."""
    route, incoming = choose(Router().find(incoming.path), incoming)
    return route.dialect.parse(incoming, LIMITS)


def packed(value: Any) -> str:
    """JSON as base64."""
    return base64.b64encode(json.dumps(value).encode()).decode()


def json_of(*names: str) -> st.SearchStrategy[Any]:
    """Any JSON, some of it under the names that a dialect reads."""
    leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8)
    return st.recursive(
        leaves,
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(names) | st.text(max_size=3), inner, max_size=6)
        ),
        max_leaves=20,
    )


def survives(incoming: Request) -> None:
    """Whatever is asked is parsed or refused, and then answered."""
    route, incoming = choose(Router().find(incoming.path), incoming)
    try:
        answer = route.dialect.parse(incoming, LIMITS).answer
    except Refused as refused:
        answer = route.dialect.refuse(incoming, refused)
    assert answer.status < 500
