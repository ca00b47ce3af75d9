"""What operators alone need, such as metrics: behind the secret key where keys are set, or on a port of its own."""

import multiprocessing
import os
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

from nextclick import ports
from nextclick.settings import ServerSettings, handed_down
from nextclick.web import process
from nextclick.web.answers import HttpAnswer, problem
from nextclick.web.local import is_local

OperatorPages = Mapping[str, Callable[[], HttpAnswer]]
"""Path → page; functions of modules, so that another process can import them."""

COUNTS: Final = "PROMETHEUS_MULTIPROC_DIR"
"""The variable that names the folder in which workers count."""
_SIZES: Final = {"counter": 256 << 10, "histogram": 128 << 10, "gauge_livesum": 16 << 10, "gauge_mostrecent": 16 << 10}
"""Bytes of a worker's files there, by what prometheus_client calls them; a series takes some 200."""
ROOM: Final = sum(_SIZES.values())
"""Bytes that a worker takes there."""


def take_room() -> None:
    """Write the files in which this worker counts, before it counts; OSError where the disk has no room.

    prometheus_client would make them with nothing in them and map them into memory: on a disk that is full by then, the first
    series of a new page ends the process (SIGBUS).
    """
    folder = handed_down(COUNTS)
    for kind, size in _SIZES.items() if folder else ():
        file = Path(f"{folder}/{kind}_{os.getpid()}.db")
        if not file.exists():
            file.write_bytes(bytes(size))


def metrics() -> HttpAnswer:
    """What all workers counted together, as Prometheus reads it."""
    from prometheus_client import CollectorRegistry, generate_latest, multiprocess
    from prometheus_client.exposition import CONTENT_TYPE_LATEST

    shown = CollectorRegistry()
    multiprocess.MultiProcessCollector(shown)  # type: ignore[no-untyped-call]
    return HttpAnswer(body=generate_latest(shown), content_type=CONTENT_TYPE_LATEST)


def start(pages: OperatorPages, server: ServerSettings) -> None:
    """Serve them at metrics_port, if it is set, until this process ends: in another one, since what forks workers has no threads."""
    if server.metrics_port:
        context = multiprocessing.get_context("spawn")
        context.Process(target=_serve, args=(pages, server.metrics_host, server.metrics_port), daemon=True).start()


def _serve(pages: OperatorPages, host: str, port: int) -> None:
    class Handler(BaseHTTPRequestHandler):
        server_version, sys_version = "nextclick", ""

        def do_GET(self) -> None:
            page = pages.get(self.path.partition("?")[0])
            if ports.is_loopback(host) and not is_local(f"//{self.headers.get('host', 'localhost')}"):
                answer = problem(403, "foreign_host", "Only requests to localhost or 127.0.0.1 are answered.")
            else:
                answer = page() if page else problem(404, "no_such_path", f"Here are {', '.join(pages)}.")
            self.send_response(answer.status)
            for name, value in (
                *answer.headers,
                ("content-type", answer.content_type),
                ("content-length", str(len(answer.body))),
            ):
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, format: str, *args: Any) -> None:
            """Scrapes are no news."""

    process.end_with_the_parent()
    try:
        ThreadingHTTPServer((host, port), Handler).serve_forever()
    except KeyboardInterrupt:
        return
