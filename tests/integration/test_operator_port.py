"""Metrics and the API's description on a port of their own."""

import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from nextclick import ports
from tests.api_process import answering
from tests.collector_process import Collector, collecting
from tests.wait import wait_until

Start = Callable[..., AbstractContextManager[Collector]]


def ask(address: str, **headers: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(urllib.request.Request(address, headers=headers), timeout=30) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, ""
    except OSError:  # it does not listen yet, or no more
        return 0, ""


@pytest.mark.parametrize(
    ("start", "section", "pages"),
    [
        (collecting, "COLLECTOR", {"/metrics": "nextclick_collector_sink_up"}),
        (
            answering,
            "SERVING",
            {"/metrics": "nextclick_serving_lists_version", "/docs": "<h1>", "/openapi.json": '"/v1/rank"'},
        ),
    ],
    ids=["collect", "serve"],
)
def test_what_is_for_operators_moves_to_its_own_port(
    tmp_path: Path, start: Start, section: str, pages: dict[str, str]
) -> None:
    own = ports.free("127.0.0.1", 0)
    with start(tmp_path / "lake", **{f"NEXTCLICK_{section}__METRICS_PORT": str(own)}) as server:
        wait_until(lambda: ask(f"http://127.0.0.1:{own}/metrics")[0] == 200)
        for path, text in pages.items():
            assert server.ask(path).status == 404
            wait_until(lambda path=path, text=text: text in ask(f"http://127.0.0.1:{own}{path}")[1])  # type: ignore[misc]
        assert ask(f"http://127.0.0.1:{own}/v1/popular")[0] == 404
        assert ask(f"http://127.0.0.1:{own}/metrics", Host="evil.example")[0] == 403
    assert ask(f"http://127.0.0.1:{own}/metrics")[0] == 0, "it ends with its server"
