"""A server as a process: Granian around an ASGI app, and the line that says where it listens."""

import ctypes
import multiprocessing
import os
import signal
import ssl
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final, cast

from granian.constants import HTTPModes, Interfaces, Loops, SSLProtocols
from granian.http import HTTP1Settings
from granian.log import LOGGING_CONFIG
from granian.server import Server

from nextclick.settings import ServerSettings

_PR_SET_PDEATHSIG: Final = 1
_ASK_SECONDS: Final = 0.1
_LOG_HANDLERS: Any = {  # on stdout, where Granian puts them, a verb's answer stands alone
    name: {**handler, "stream": "ext://sys.stderr"} for name, handler in cast(Any, LOGGING_CONFIG["handlers"]).items()
}


def serve(factory: str, door: ServerSettings, on_ready: Callable[[], None] = lambda: None) -> None:
    """Serve the app that `factory` ("module:function") makes in each worker, until SIGINT or SIGTERM.

    Requests in flight end first, within drain_seconds.
    """
    server: Any = Server(
        factory,
        address=door.host,
        port=door.port,
        interface=Interfaces.ASGI,
        http=HTTPModes.http1,
        loop=Loops.uvloop,
        factory=True,
        workers=door.workers,
        backpressure=door.in_flight,
        respawn_failed_workers=True,
        workers_kill_timeout=door.drain_seconds,
        http1_settings=HTTP1Settings(
            header_read_timeout=door.header_seconds * 1000,
            max_buffer_size=door.header_bytes,
        ),
        ssl_cert=Path(door.tls_certificate).expanduser() if door.tls_certificate else None,
        ssl_key=Path(door.tls_key).expanduser() if door.tls_key else None,
        ssl_protocol_min=SSLProtocols.tls12,
        log_dictconfig={"handlers": _LOG_HANDLERS},
        websockets=False,
    )
    server.on_startup(on_ready)
    server.serve()


def end_with_the_parent() -> None:
    """A worker whose main process was killed drains and ends, instead of keeping the port and its segment."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def when_it_answers(address: str, say: Callable[[], None], workers: int = 0) -> None:
    """Call `say` once the server at `address` answers; returns at once.

    Nothing is asked before so many `workers` are forked: a child that is forked while a thread holds a lock, such as that
    of an import, waits for it for ever.
    """
    forks = threading.Semaphore(0)
    os.register_at_fork(after_in_parent=forks.release)
    awaited = workers if multiprocessing.get_start_method() == "fork" else 0
    threading.Thread(target=_ask_and_say, args=(forks, awaited, address, say), daemon=True).start()


def _ask_and_say(forks: threading.Semaphore, awaited: int, address: str, say: Callable[[], None]) -> None:
    for _ in range(awaited):
        forks.acquire()
    waiting = threading.Event()
    whoever = ssl._create_unverified_context() if address.startswith("https:") else None  # it asks itself
    while True:
        try:
            urllib.request.urlopen(f"{address}/health", timeout=5, context=whoever).close()
            break
        except urllib.error.HTTPError as refusal:
            if refusal.code == HTTPStatus.UNAUTHORIZED:  # who wants a token answers
                break
            waiting.wait(_ASK_SECONDS)
        except (urllib.error.URLError, OSError):
            waiting.wait(_ASK_SECONDS)
    say()
