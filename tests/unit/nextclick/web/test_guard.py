"""The pages' guard: who gets past it, by host, origin and token, over HTTP and WebSockets."""

import asyncio
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from nextclick.web import guard

TOKEN = guard.new_token()
OWN = "127.0.0.1:3000"


def status(method: str = "GET", kind: str = "http", query: str = "", **headers: str) -> int:
    """What a request is answered with; 200 where the page itself gets it."""
    said: list[Any] = []

    async def page(scope: Scope, receive: Receive, send: Send) -> None:
        said.append({"status": 200})

    async def send(message: Any) -> None:
        said.append(message)

    async def receive() -> Any:
        return {"type": f"{kind}.connect"}

    app: Any = page
    for each in reversed(guard.middleware(TOKEN)):
        app = each.cls(app, *each.args, **each.kwargs)
    named = {"host": OWN} | {name.replace("_", "-"): value for name, value in headers.items()}
    scope = {"type": kind, "scheme": "http", "path": "/", "query_string": query.encode(), "server": ("127.0.0.1", 3000),
             "headers": [(name.encode(), value.encode()) for name, value in named.items()]}  # fmt: skip
    asyncio.run(app(scope | ({"method": method} if kind == "http" else {}), receive, send))
    return int(said[0]["status"])


IN = {"authorization": f"Bearer {TOKEN}"}


@pytest.mark.parametrize(
    ("host", "answer"),
    [(OWN, 200), ("LOCALHOST:3000", 200), ("127.0.0.1.evil.example:3000", 400), ("localhost.evil.example", 400), ("evil.example", 400),
     ("127.0.0.1:3000@evil.example", 400), ("0.0.0.0:3000", 400), ("127.1:3000", 400), ("", 400)],
)  # fmt: skip
def test_a_page_answers_to_its_own_names_alone(host: str, answer: int) -> None:
    assert status(host=host, **IN) == answer


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
@pytest.mark.parametrize(
    "origin",
    ["null", "", "http://localhost:3000", "http://127.0.0.1", "http://127.0.0.1:3001", "https://evil.example", f"http://{OWN}.evil.example"],
)  # fmt: skip
def test_a_page_of_another_origin_gets_nothing(method: str, origin: str) -> None:
    assert status(method, origin=origin, **IN) == 403
    assert status(method, origin=f"http://{OWN}", **IN) == 200
    assert status(kind="websocket", origin=origin, **IN) == 403
    assert status(kind="websocket", origin=f"http://{OWN}", **IN) == 200


@pytest.mark.parametrize("site", ["cross-site", "same-site", "anything else"])
def test_a_foreign_page_that_tells_no_origin_changes_nothing(site: str) -> None:
    assert status("POST", sec_fetch_site=site, **IN) == 403
    assert status(kind="websocket", sec_fetch_site=site, **IN) == 403
    assert status("POST", sec_fetch_site="same-origin", **IN) == 200


@pytest.mark.parametrize(
    ("authorization", "answer"),
    [
        ("Bearer {}", 200),
        ("bearer  {} ", 200),
        ("Basic {}", 401),
        ("{}", 401),
        ("Bearer x{}", 401),
        ("Bearer", 401),
        ("", 401),
    ],
)
def test_the_token_comes_as_a_bearers(authorization: str, answer: int) -> None:
    assert status(authorization=authorization.format(TOKEN)) == answer


def test_a_link_brings_the_token_once_and_to_a_page_alone() -> None:
    assert status(query=f"token={TOKEN}") == 303
    assert [status(query=f"token={wrong}") for wrong in ("", "x", "%ff", f"{TOKEN}&token=x")] == [401] * 4
    assert [status(method, query=f"token={TOKEN}") for method in ("POST", "HEAD")] == [401, 401]
    assert status(kind="websocket", query=f"token={TOKEN}") == 401
