"""A worker and a receiver as processes that are killed; forked from one that has imported everything, so a start costs little."""

import asyncio
import multiprocessing
import os
import random
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import msgspec
from standardwebhooks.webhooks import Webhook

from nextclick.object_store import lease
from nextclick.settings import Settings
from tests.trigger_lake import SECRET, WebhookServer, settings_of
from triggers.definition import TriggerDefinition
from triggers.outbox.outbox import Outbox
from triggers.receiver import Receiver
from triggers.worker import TriggerWorker

_PRELOADED = (
    "tests.trigger_processes",
    "duckdb",
    "deltalake",
    "httpx",
    "triggers.look",
    "nextclick.lake.people.persons",
)


def started(target: Any, *args: Any) -> BaseProcess:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([*_PRELOADED])
    process = context.Process(target=target, args=args, daemon=True)
    process.start()
    return process


def work(settings: Settings, triggers: tuple[TriggerDefinition, ...]) -> None:
    """A worker as `nextclick triggers` has it."""

    async def run() -> None:
        async with Receiver(settings.triggers) as receiver:
            await TriggerWorker(settings, triggers, Outbox.of(settings.lake), receiver).run(lambda _: None)

    asyncio.run(run())


def work_beside(lake: str, url: str, environ: Mapping[str, str], triggers: tuple[TriggerDefinition, ...]) -> None:
    """As `work`, of a lake in an object store, on a machine of its own; its lease is short."""
    os.environ.update(environ)
    lease.SECONDS = 1.5  # type: ignore[misc]
    work(settings_of(lake, url, environ, look_seconds=0.1, per_person=1000), triggers)


def receive(port: int, path: Path, troubles: bool) -> None:
    """Write each webhook to the disk before it is answered; with `troubles` one in four is refused, late, or taken without an answer."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            said = Webhook(SECRET).verify(body, dict(self.headers.items()))
            trouble = random.random() if troubles else 1.0
            if trouble < 0.1:
                return self._answer(503)
            line = msgspec.json.encode({"id": self.headers["webhook-id"], **said["data"]}) + b"\n"
            descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
            os.write(descriptor, line)
            os.fsync(descriptor)
            os.close(descriptor)
            if trouble < 0.2:
                time.sleep(0.3)
            if trouble < 0.25:
                self.close_connection = True
                return None
            return self._answer(204)

        def _answer(self, status: int) -> None:
            self.send_response(status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    class Server(WebhookServer):
        def handle_error(self, *_: object) -> None:
            """A sender that was killed hung up."""

    Server(("127.0.0.1", port), Handler).serve_forever()
