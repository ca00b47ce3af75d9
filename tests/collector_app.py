"""The collector's app without a server: requests go in as ASGI messages, what becomes durable is remembered."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from collector.http.app import CollectorApp
from collector.http.metrics import CollectorMetrics
from collector.sinks import RequestBatch
from nextclick.settings import Settings, load


class AppReply(NamedTuple):
    """What the app answered, and what it made durable before."""

    status: int
    body: bytes
    events: list[dict[str, Any]]
    rejects: list[dict[str, Any]]


class MemorySink:
    """A sink that remembers the last batch."""

    def __init__(self) -> None:
        self.batch: RequestBatch | None = None

    async def write(self, batch: RequestBatch) -> None:
        self.batch = batch

    async def probe(self) -> str:
        return ""

    async def close(self) -> None: ...


class InProcess:
    """An app, its loop, and how many parts of bodies it asked for."""

    def __init__(self, settings: Settings) -> None:
        self.metrics = CollectorMetrics()
        self.app = CollectorApp(settings, lambda _: MemorySink(), self.metrics)
        self.parts_read = 0
        self.loop = asyncio.new_event_loop()

    def post(self, path: str, body: Any, query: str = "", **headers: str) -> AppReply:
        """POST bytes, or anything else as JSON; header names with _ for -."""
        sent = body if isinstance(body, bytes) else msgspec.json.encode(body)
        return self.ask(
            "POST", path, query.encode(), {name.replace("_", "-"): text for name, text in headers.items()}, sent
        )

    def ask(
        self, method: str, path: str, query: bytes = b"", headers: Mapping[str, str] = {}, body: bytes = b""
    ) -> AppReply:
        return self.loop.run_until_complete(self._ask(method, path, query, headers, body))

    async def _ask(self, method: str, path: str, query: bytes, headers: Mapping[str, str], body: bytes) -> AppReply:
        sink = self.app._sink = MemorySink()

        def count() -> None:
            self.parts_read += 1

        status, said = await exchange(self.app, method, path, query, headers, body, count)
        batch = sink.batch or RequestBatch("", 0, (), (), ())
        events, rejects = ([msgspec.json.decode(each) for each in all] for all in (batch.events, batch.rejects))
        return AppReply(status, said, events, rejects)


async def exchange(
    app: Any,
    method: str,
    path: str,
    query: bytes = b"",
    headers: Mapping[str, str] = {},
    body: bytes = b"",
    read: Callable[[], None] = lambda: None,
) -> tuple[int, bytes]:
    """One request to an ASGI app, its body in two parts; the status and the body of the answer. `read` is told of each part."""
    parts = [{"type": "http.request", "body": body[:9], "more_body": True}, {"type": "http.request", "body": body[9:]}]
    said: list[Any] = []

    async def receive() -> Any:
        read()
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
    await app(scope, receive, send)
    return said[0]["status"], said[1]["body"]


@contextmanager
def in_process(folder: Path, write_keys: Mapping[str, Any] = {}, **settings: str) -> Iterator[InProcess]:
    """An app whose lake is in `folder`; `settings` are environment variables."""
    (folder / "counts").mkdir(parents=True)
    chosen = load(folder / "lake", environ=settings)
    keys = msgspec.convert(write_keys, type(chosen.collector).__annotations__["write_keys"])
    chosen = msgspec.structs.replace(chosen, collector=msgspec.structs.replace(chosen.collector, write_keys=keys))
    chosen.lake.prepare()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PROMETHEUS_MULTIPROC_DIR", str(folder / "counts"))
        running = InProcess(chosen)
        yield running
        running.loop.close()
