"""The collector as a process: Granian around the door."""

import ctypes
import signal
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from granian.constants import HTTPModes, Interfaces, Loops
from granian.http import HTTP1Settings
from granian.log import LOGGING_CONFIG
from granian.server import Server

from collector.app import Door
from collector.metrics import Metrics
from collector.sinks import Sink
from collector.sinks.landing import LandingSink
from nextclick.errors import SetupError
from nextclick.settings import Settings, load

if TYPE_CHECKING:
    from collector.sinks.kafka import KafkaSink

_PR_SET_PDEATHSIG = 1
_LOG_HANDLERS: Any = {  # on stdout, where Granian puts them, a verb's answer stands alone
    name: {**handler, "stream": "ext://sys.stderr"} for name, handler in cast(Any, LOGGING_CONFIG["handlers"]).items()
}


def app(settings: Settings | None = None) -> Door:
    """The door of one worker; without `settings`, as the environment names them."""
    settings = settings or load()
    _end_with_the_parent()
    return Door(settings, lambda metrics: _sink(settings, metrics), Metrics())


def _sink(settings: Settings, metrics: Metrics) -> Sink:
    if settings.collector.sink == "kafka":
        return _kafka()(settings)
    return LandingSink(settings, metrics.group.observe)


def _kafka() -> "type[KafkaSink]":
    """The sink of those who use Kafka; SetupError if its client is not installed."""
    try:
        from collector.sinks.kafka import KafkaSink
    except ImportError as error:
        raise SetupError(
            "collector.sink is kafka, but the package confluent-kafka is not installed. "
            "Run `make setup`, or in an environment of your own `pip install -e '.[kafka]'`, then start again."
        ) from error
    return KafkaSink


def _end_with_the_parent() -> None:
    """A worker whose main process was killed drains and ends, instead of keeping the port and its segment."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def serve(settings: Settings, on_ready: Callable[[], None] = lambda: None) -> None:
    """Serve until SIGINT or SIGTERM; requests in flight end first, within drain_seconds."""
    collector = settings.collector
    if collector.sink == "kafka":
        _kafka()  # here and not in each worker, which would be started again and again
    server: Any = Server(
        "collector.server:app",
        address=collector.host,
        port=collector.port,
        interface=Interfaces.ASGI,
        http=HTTPModes.http1,
        loop=Loops.asyncio,
        factory=True,
        workers=collector.workers,
        backpressure=collector.in_flight,
        respawn_failed_workers=True,
        workers_kill_timeout=collector.drain_seconds,
        http1_settings=HTTP1Settings(
            header_read_timeout=collector.header_seconds * 1000,
            max_buffer_size=collector.header_bytes,
        ),
        log_dictconfig={"handlers": _LOG_HANDLERS},
        websockets=False,
    )
    server.on_startup(on_ready)
    server.serve()
