"""Carts that were left when the demo's last day ends, and the webhooks that a receiver on loopback gets for them, sent and verified."""

import asyncio
import base64
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

import msgspec
from standardwebhooks.webhooks import Webhook

from demo.outcome.facts import SentMessage
from nextclick.lake.sql import ask
from nextclick.settings import Settings
from triggers.definition import load
from triggers.outbox.outbox import Outbox
from triggers.receiver import Receiver
from triggers.worker import TriggerReport, TriggerWorker

_NAME: Final = "cart_left"


def sent(settings: Settings) -> SentMessage | None:
    """One of the messages, the first by person; None where no cart was left."""
    [example] = [trigger for trigger in load(settings.conf_dir / "triggers") if trigger.name == _NAME]
    # The demo's visitors were never asked, and its last day ends at night.
    rule = msgspec.structs.replace(example, enabled=True, site=settings.site, consent="none", quiet=None)
    secret = "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode()
    with _receiving(secret) as (url, bodies):
        mine = msgspec.structs.replace(settings.triggers, url=url, secret=secret)
        report = asyncio.run(_once(msgspec.structs.replace(settings, triggers=mine), rule, _end(settings)))
    if not bodies:
        return None
    first = min(bodies, key=lambda data: str(data["person_id"]))
    return SentMessage(
        trigger=_NAME,
        decided={
            ("sent" if outcome == "waiting" else str(outcome)): count for outcome, count in report.decided.items()
        },
        received=len(bodies),
        person_id=first["person_id"],
        subject=first["message"]["subject"],
        text=first["message"]["text"],
    )


async def _once(settings: Settings, rule: Any, now: datetime) -> TriggerReport:
    outbox = Outbox.of(settings.lake)
    try:
        async with Receiver(settings.triggers) as receiver:
            return await TriggerWorker(settings, [rule], outbox, receiver, lambda: now).once(now)
    finally:
        outbox.close()


def _end(settings: Settings) -> datetime:
    """Half an hour after the last event: whoever has something in the cart then has left it."""
    newest: datetime = ask(settings.lake, "SELECT max(occurred_at) FROM silver.events WHERE event <> 'item_update'")[1][
        0
    ][0]
    return newest + timedelta(minutes=31)


@contextmanager
def _receiving(secret: str) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A receiver on loopback: its address, and the data of what it was sent under a true signature."""
    bodies: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            bodies.append(Webhook(secret).verify(body, dict(self.headers.items()))["data"])
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    class Server(ThreadingHTTPServer):
        request_queue_size = 128  # with the usual 5, some of those who call at once call again after a second

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/", bodies
    finally:
        server.shutdown()
        server.server_close()
