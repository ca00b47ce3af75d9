"""What operators alone need, such as metrics: behind the secret key where keys are set, or on a port of its own."""

import multiprocessing
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from nextclick import ports
from nextclick.settings import ServerSettings
from nextclick.web import process
from nextclick.web.answers import HttpAnswer, problem
from nextclick.web.local import is_local

OperatorPages = Mapping[str, Callable[[], HttpAnswer]]
"""Path → page; functions of modules, so that another process can import them."""


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
