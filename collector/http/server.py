"""The collector as a process: Granian around the door."""

from typing import TYPE_CHECKING

from collector.http.app import Door
from collector.http.metrics import Metrics
from collector.live.follower import Followed
from collector.live.landing_follower import Live
from collector.sinks import Sink
from collector.sinks.landing import LandingSink
from nextclick.extras import importing_kafka
from nextclick.kv import open_profiles
from nextclick.settings import Settings, load
from nextclick.web import process

if TYPE_CHECKING:
    from collector.sinks.kafka import KafkaSink


def app(settings: Settings | None = None) -> Door:
    """The door of one worker; without `settings`, as the environment names them."""
    settings = settings or load()
    process.end_with_the_parent()
    return Door(settings, lambda metrics: _sink(settings, metrics), Metrics())


def _sink(settings: Settings, metrics: Metrics) -> Sink:
    is_kafka = settings.collector.sink == "kafka"
    if not settings.live.enabled:
        return _kafka()(settings) if is_kafka else LandingSink(settings, metrics.group.observe)
    store = open_profiles(settings)
    log = Live(settings, store, metrics.live)
    if not is_kafka:
        return Followed(LandingSink(settings, metrics.group.observe, log.durable), log)
    sink = _kafka()(settings)
    from collector.live.kafka_follower import LiveTopic

    # The log as well: imports and replays write it.
    return Followed(sink, log, LiveTopic(settings, store, metrics.live))


def _kafka() -> "type[KafkaSink]":
    """The sink of those who use Kafka; SetupError if its client is not installed."""
    with importing_kafka("collector.sink is kafka"):
        from collector.sinks.kafka import KafkaSink
    return KafkaSink


def serve(settings: Settings) -> None:
    """Serve until SIGINT or SIGTERM; requests in flight end first, within drain_seconds."""
    if settings.collector.sink == "kafka":
        _kafka()  # here and not in each worker, which would be started again and again
    process.serve("collector.http.server:app", settings.collector)
