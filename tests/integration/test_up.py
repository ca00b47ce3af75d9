"""`nextclick up` for real: both pages answer on loopback to who has the link alone, and everything ends with it."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import websockets

from nextclick.settings import CHECKOUT
from nextclick.web.guard import HOST
from tests.conftest import LAKE

NEXTCLICK = str(Path(sys.executable).parent / "nextclick")


@pytest.fixture
def up(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    command = [NEXTCLICK, "--lake", str(tmp_path / LAKE), "up", "--port", "0", "--mlflow-port", "0", "--json"]
    with subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.terminate()


def descendants(parent: int) -> set[int]:
    """Process ids of all that `parent` started, and what these started."""
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return {int(child) for child in children} | {one for child in children for one in descendants(int(child))}


FOREIGN = "https://evil.example"
START_SCHEDULE = """mutation { startSchedule(scheduleSelector: {repositoryName: "__repository__",
    repositoryLocationName: "orchestration.definitions", scheduleName: "nightly_schedule"}) { __typename } }"""
QUERY = {"query": "{ version }"}


async def web_socket(address: str, **headers: str) -> int:
    """101 where the WebSocket is opened, else the refusal's status."""
    try:
        url = f"{address.replace('http', 'ws')}/graphql"
        async with websockets.connect(url, additional_headers=headers, subprotocols=["graphql-ws"]):  # type: ignore[list-item]
            return 101
    except websockets.InvalidStatus as refusal:
        return refusal.response.status_code


def held(link: str) -> None:
    """What both pages refuse, with the token too."""
    address, _, token = link.partition("/?token=")
    own = {"Authorization": f"Bearer {token}"}
    assert httpx.get(address).status_code == 401
    assert httpx.get(f"{address}/?token={token[:-1]}").status_code == 401
    assert httpx.get(address, headers={b"Authorization": "Bearer é".encode()}).status_code == 401
    assert httpx.get(address, headers=own).status_code == 200
    assert httpx.get(address, headers=own | {"Host": "evil.example"}).status_code == 400
    for foreign in (
        {"Origin": FOREIGN},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ):
        assert httpx.post(f"{address}/graphql", json=QUERY, headers=own | foreign).status_code == 403
    assert asyncio.run(web_socket(address)) == 401
    assert asyncio.run(web_socket(address, **own, Origin=FOREIGN)) == 403
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "A" * 22 + "==",
    }
    assert httpx.get(f"{address}/graphql", headers=own | upgrade | {"Host": "evil.example"}).status_code == 400


@contextmanager
def opened(link: str) -> Iterator[httpx.Client]:
    """A browser that followed the link."""
    address = link.partition("/?token=")[0]
    with httpx.Client(base_url=address) as browser:
        first = browser.get(link)
        assert (first.status_code, first.headers["location"]) == (303, f"{address}/")
        assert {"HttpOnly", "Path=/", "SameSite=strict"} <= {*first.headers["set-cookie"].split("; ")}
        yield browser


def schedules_are_off(browser: httpx.Client) -> bool:
    query = {
        "query": "{ repositoriesOrError { ... on RepositoryConnection { nodes { schedules { scheduleState { status } } } } } }"
    }
    answer: Any = browser.post("/graphql", json=query).json()
    [repository] = answer["data"]["repositoriesOrError"]["nodes"]
    return [one["scheduleState"]["status"] for one in repository["schedules"]] == ["STOPPED"]


@pytest.mark.slow
@pytest.mark.skipif(not Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").exists(), reason="needs Linux's /proc")
def test_both_pages_answer_to_the_link_alone_and_nothing_is_left_after_sigterm(
    up: subprocess.Popen[str], tmp_path: Path
) -> None:
    assert up.stdout
    links = json.loads(up.stdout.readline())
    assert all(link.startswith(f"http://{HOST}:") for link in links.values())
    assert (tmp_path / LAKE / "_state/up_token").stat().st_mode & 0o777 == 0o600
    for link in links.values():
        held(link)
    with opened(links["mlflow"]) as browser:
        assert "mlflow" in browser.get("/").text.lower()
        assert browser.post("/api/2.0/mlflow/experiments/search", json={"max_results": 5}).status_code == 200
    with opened(links["dagster"]) as browser:
        assert "dagster" in browser.get("/").text.lower()
        assert browser.get("/graphql", params={"query": START_SCHEDULE}).status_code == 405
        as_text = {"Content-Type": "text/plain; application/json"}
        assert (
            browser.post("/graphql", content=json.dumps({"query": START_SCHEDULE}), headers=as_text).status_code == 415
        )
        assert schedules_are_off(browser)
        own = {"Origin": str(browser.base_url).rstrip("/"), "Sec-Fetch-Site": "same-origin"}
        assert "data" in browser.post("/graphql", json=QUERY, headers=own).json()
        cookie = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
        assert asyncio.run(web_socket(own["Origin"], Cookie=cookie, Origin=own["Origin"])) == 101
    started = descendants(up.pid)
    assert len(started) >= 3

    up.send_signal(signal.SIGTERM)
    assert up.wait(timeout=60) == 0
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and any(Path(f"/proc/{one}").exists() for one in started):
        time.sleep(0.1)
    assert not [one for one in started if Path(f"/proc/{one}").exists()]
