"""Small lakes for triggers: events that a reader checks by eye, a trigger's file, and a receiver on loopback."""

import threading
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec
from standardwebhooks.webhooks import Webhook

from nextclick.lake.paths import Lake
from nextclick.settings import Settings, load
from tests.table_rows import seq, write
from triggers.definition import TriggerDefinition

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
AT = datetime(2026, 3, 2, 12, tzinfo=UTC)
"""A Monday at noon."""
YES = {"analytics": True, "personalization": True, "advertising": True}


def trigger(kind: str = "cart_left", **more: Any) -> TriggerDefinition:
    """On, for everybody, whatever they allowed, but for what `more` says; `when` adds to its kind."""
    when = {"kind": kind, **({"after_days": 3.0} if kind == "silence" else {}), **more.pop("when", {})}
    return msgspec.convert(
        {"name": "t", "enabled": True, "holdout": 0.0, "consent": "none", "when": when} | more, TriggerDefinition
    )


def settings_of(
    lake: Path | str, url: str = "http://127.0.0.1:9/", environ: Mapping[str, str] | None = None, **more: Any
) -> Settings:
    """Nothing settles, and tries follow each other soon."""
    settings = load(lake, environ=environ or {})
    chosen = {
        "url": url,
        "secret": SECRET,
        "settle_seconds": 0.0,
        "look_seconds": 0.2,
        "timeout_seconds": 2.0,
        "retry_seconds": 0.05,
    }
    return msgspec.structs.replace(settings, triggers=msgspec.structs.replace(settings.triggers, **chosen | more))


def event(visitor: str, kind: str, minute: float, item: str | None = None, **more: Any) -> dict[str, Any]:
    """What a visitor did so many minutes after AT."""
    at = AT + timedelta(minutes=minute)
    stamps = {"client_time": at, "occurred_at": at, "received_at": at}
    return {
        "site": "default", "event": kind, "event_id": f"{visitor}/{kind}/{minute}/{item}", "visitor_id": visitor, "item_id": item,
        "source": "plain", "channel": "direct", **stamps, **more,
    }  # fmt: skip


def write_events(lake: Lake, events: Iterable[Mapping[str, Any]], batch: int = 0) -> None:
    write(lake, "silver.events", [{"seq": seq(at, "s", batch), **each} for at, each in enumerate(events)])


def minutes(count: float) -> datetime:
    return AT + timedelta(minutes=count)


class WebhookServer(ThreadingHTTPServer):
    request_queue_size = 128
    """With the usual 5, some of those who call at once are not heard, and call again after a second."""


class Hook:
    """A receiver on loopback: what it was sent, verified, by id; `answers` are the statuses of its next answers, then 204."""

    def __init__(self, *answers: int) -> None:
        self.answers = [*answers]
        self.bodies: dict[str, Any] = {}
        self.tries: list[str] = []
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                said = Webhook(SECRET).verify(body, dict(self.headers.items()))
                status = hook.answers.pop(0) if hook.answers else 204
                hook.tries.append(self.headers["webhook-id"])
                if status < 300:
                    hook.bodies[self.headers["webhook-id"]] = said
                self.send_response(status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None: ...

        self._server = WebhookServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def __enter__(self) -> "Hook":
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
