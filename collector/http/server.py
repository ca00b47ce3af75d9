"""The collector as a process: Granian around the app."""

from typing import TYPE_CHECKING

from collector.http.app import FOR_OPERATORS, CollectorApp
from collector.http.metrics import CollectorMetrics
from collector.live.follower import Follower, SinkWithFollowers
from collector.live.landing_follower import LandingFollower
from collector.sinks import Sink
from collector.sinks.landing import LandingSink
from nextclick.audiences import definitions as audiences
from nextclick.extras import importing_kafka
from nextclick.kv import open_profiles
from nextclick.settings import Settings, load
from nextclick.shipping.shipper import ShippingThread, has_to_ship
from nextclick.web import operators, process

if TYPE_CHECKING:
    from collector.sinks.kafka import KafkaSink


def app(settings: Settings | None = None) -> CollectorApp:
    """The app of one worker; without `settings`, as the environment names them."""
    settings = settings or load()
    process.end_with_the_parent()
    operators.take_room()
    return CollectorApp(settings, lambda metrics: _sink(settings, metrics), CollectorMetrics())


def _sink(settings: Settings, metrics: CollectorMetrics) -> Sink:
    is_kafka = settings.collector.sink == "kafka"
    lost = metrics.rejects_lost.labels("not_durable").inc
    sink: Sink
    beside: list[Follower] = []
    if has_to_ship(settings):
        beside.append(ShippingThread(settings, metrics.shipped.inc, metrics.unshipped.set))
    if not settings.live.enabled:
        sink = _kafka()(settings, lost) if is_kafka else LandingSink(settings, metrics.group.observe, lost=lost)
        return SinkWithFollowers(sink, *beside)
    store = open_profiles(settings)
    log = LandingFollower(settings, store, metrics.live)
    if not is_kafka:
        sink = LandingSink(settings, metrics.group.observe, log.durable, lost)
        return SinkWithFollowers(sink, log, *beside)
    sink = _kafka()(settings, lost)
    from collector.live.kafka_follower import LiveTopic

    # The log as well: what was imported before Kafka came lies there.
    return SinkWithFollowers(sink, log, LiveTopic(settings, store, metrics.live), *beside)


def _kafka() -> "type[KafkaSink]":
    """The sink of those who use Kafka; SetupError if its client is not installed."""
    with importing_kafka("collector.sink is kafka"):
        from collector.sinks.kafka import KafkaSink
    return KafkaSink


def serve(settings: Settings) -> None:
    """Serve until SIGINT or SIGTERM; requests in flight end first, within drain_seconds."""
    # What would stop a worker stops here: each would be started again and again.
    audiences.load(settings.conf_dir / "audiences")
    if settings.collector.sink == "kafka":
        _kafka()
    operators.start(FOR_OPERATORS, settings.collector)
    process.serve("collector.http.server:app", settings.collector)
