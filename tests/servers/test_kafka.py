"""The way from the door to silver is the same on the landing log and on Kafka; a broker that fails costs no event."""

import json
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest

pytest.importorskip("confluent_kafka", reason="the Kafka client is not installed: `make extras` brings it")

from click.testing import CliRunner
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient

from cli.main import cli
from collector.live.kafka_follower import group
from collector.replay.kafka_records import received_at
from collector.replay.replay import Wanted, replay
from nextclick.errors import LakeError
from nextclick.kv import open_profiles
from nextclick.lake.sql import ask
from nextclick.landing.writer import SegmentWriter
from nextclick.profile import profile
from nextclick.profile.live_arrivals import Arrivals
from nextclick.profile.profile import EMPTY, Action, Profile
from nextclick.reconciliation import Reconciliation
from nextclick.settings import DEFAULT_CONF, Settings, load
from orchestration.new_data import has_new_data
from orchestration.pipeline import step
from serving.metrics import ServingMetrics
from serving.served_log import open_record
from spark_jobs.checkpoints.retention import refuse_loss
from spark_jobs.jars import KAFKA, wanting
from tests import wait
from tests.collector_process import Collector, collecting
from tests.integration.test_live import Load
from tests.servers import kafka_broker
from tests.servers.kafka_broker import Broker

pytestmark = [pytest.mark.servers, pytest.mark.spark, pytest.mark.slow]

NOW = round(time.time() * 1000)
DAY = 86_400_000
SINKS = ("landing", "kafka")
wait_until = partial(wait.wait_until, seconds=60)


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    if why := kafka_broker.missing():
        pytest.skip(why)
    broker = Broker(tmp_path_factory.mktemp("kafka") / "broker")
    yield broker
    broker.kill()


class Place:
    """A lake, and the settings that say whether Kafka stands before it."""

    def __init__(self, sink: str, lake: Path, broker: Broker) -> None:
        self.lake = lake
        self.settings = {
            "NEXTCLICK_COLLECTOR__SINK": sink,
            "NEXTCLICK_STREAMING__SOURCE": sink,
            "NEXTCLICK_KAFKA__SERVERS": broker.address,
            "NEXTCLICK_KAFKA__DELIVERY_SECONDS": "1",
            "NEXTCLICK_KAFKA__PROBE_SECONDS": "0.1",
        }

    def collecting(self, **settings: str) -> AbstractContextManager[Collector]:
        return collecting(self.lake, under=(), **self.settings | settings)

    @property
    def loaded(self) -> Settings:
        return load(self.lake, environ=self.settings)

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        return ask(self.loaded.lake, query)[1]


@pytest.fixture(scope="module")
def places(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Place]:
    folder = tmp_path_factory.mktemp("lakes")
    return {sink: Place(sink, folder / sink, broker) for sink in SINKS}


Run = Callable[[Place], Reconciliation]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """`run(place)` runs the jobs up to silver, in a session that has Kafka's jars; it starts while other things do."""
    if wanting(KAFKA.folder, KAFKA.sums):
        pytest.skip("the jars of Spark's Kafka source are not here: `make kafka` fetches them")
    command = [sys.executable, str(Path(__file__).with_name("kafka_jobs.py")), str(tmp_path_factory.mktemp("session"))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as jobs:
        assert jobs.stdin
        assert jobs.stdout
        into, out = jobs.stdin, jobs.stdout

        def run(place: Place) -> Reconciliation:
            into.write(json.dumps(place.settings | {"NEXTCLICK_LAKE": str(place.lake)}) + "\n")
            into.flush()
            return msgspec.json.decode(out.readline(), type=Reconciliation)

        yield run
        into.close()


@pytest.fixture(scope="module")
def accounts(run: Run, places: dict[str, Place]) -> dict[str, Reconciliation]:
    """Of each lake what became of the same traffic."""
    for place in places.values():
        with place.collecting() as collector:
            send(collector)
    return {sink: run(places[sink]) for sink in SINKS}


def view(number: int, **fields: Any) -> dict[str, Any]:
    return {
        "event": "view_item",
        "event_id": f"e{number}",
        "visitor_id": f"v{number % 7}",
        "item_id": f"i{number % 5}",
        "timestamp": NOW - number,
    } | fields


def send(collector: Collector) -> None:
    """300 events in 30 requests, 3 of them twice; an id that is taken; a time to come; two records that are no events."""
    requests = [[view(10 * request + part) for part in range(10)] for request in range(30)]
    requests += requests[::10]
    requests += [[view(1, item_id="another")]]
    requests += [[view(300, timestamp=NOW + 400 * DAY), view(301, timestamp="soon"), view(302, timestamp="later")]]
    for request in requests:
        assert collector.post("/v1/events", request).status == 200


@pytest.mark.parametrize("sink", SINKS)
def test_accepted_is_silver_and_quarantine_and_duplicates(accounts: dict[str, Reconciliation], sink: str) -> None:
    assert accounts[sink] == Reconciliation(accepted=332, silver=300, quarantined=2, duplicates=30, rejected=2)


@pytest.mark.parametrize("sink", SINKS)
def test_what_the_door_knew_arrives_with_the_event(
    places: dict[str, Place], accounts: dict[str, Reconciliation], sink: str
) -> None:
    place = places[sink]
    assert place.ask("SELECT source, intact, count(*) FROM bronze.events GROUP BY ALL") == [("plain", True, 332)]
    [(first, last)] = place.ask("SELECT epoch_ms(min(received_at)), epoch_ms(max(received_at)) FROM silver.events")
    assert NOW <= first <= last <= time.time() * 1000
    rejects = place.ask("SELECT source, reason FROM silver.quarantine WHERE origin = 'door' ORDER BY seq")
    assert rejects == [("plain", "bad_time")] * 2


def test_a_visitor_stays_in_one_partition_and_each_keeps_its_order(
    places: dict[str, Place], accounts: dict[str, Reconciliation]
) -> None:
    partitions = places["kafka"].ask("SELECT visitor_id, count(DISTINCT seq.segment) FROM silver.events GROUP BY ALL")
    assert Counter(count for _, count in partitions) == {1: 7}
    [(used, first)] = places["kafka"].ask("SELECT count(DISTINCT seq.segment), min(seq.position) FROM bronze.events")
    assert used > 1
    assert first == 0


@pytest.mark.parametrize("sink", SINKS)
def test_a_replay_finds_the_requests_of_rejects(
    places: dict[str, Place], accounts: dict[str, Reconciliation], sink: str
) -> None:
    wrong = replay(places[sink].loaded, Wanted(reason="bad_time"))
    assert (wrong.replayed, wrong.still_rejected) == (0, {"bad_time": 2})


class Clients:
    """Post one event after the other, each again and again until it is acknowledged, as trackers do."""

    def __init__(self, collector: Collector, clients: int = 4) -> None:
        self.acknowledged: set[str] = set()
        self.refused = 0
        self._collector = collector
        self._stopped = threading.Event()
        self._threads = [threading.Thread(target=self._post, args=(n,), daemon=True) for n in range(clients)]
        for thread in self._threads:
            thread.start()

    def _post(self, client: int) -> None:
        number = 0
        while not self._stopped.is_set():
            event = view(number, event_id=f"c{client}-{number}", visitor_id=f"c{client}")
            if self._collector.post("/v1/events", event).status == 200:
                self.acknowledged.add(event["event_id"])
                number += 1
            else:
                self.refused += 1
                time.sleep(0.05)

    def more(self, count: int) -> None:
        """Wait until so many more are acknowledged."""
        enough = len(self.acknowledged) + count
        wait_until(lambda: len(self.acknowledged) >= enough)

    def stop(self) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join(30)


def sink_health(collector: Collector, status: int) -> None:
    wait_until(lambda: collector.ask("/sink-health").status == status)


@contextmanager
def refusing(clients: Clients) -> Iterator[None]:
    """The fault within must fire: requests are refused while it lasts."""
    before = clients.refused
    yield
    wait_until(lambda: clients.refused > before)


def publish_segment(place: Place, events: list[dict[str, Any]]) -> None:
    """What an import or a replay does, also where Kafka stands before bronze."""
    with SegmentWriter(place.loaded.lake.landing, place.loaded.landing) as writer:
        writer.extend([msgspec.json.encode(event) for event in events], "import:test", NOW)


def test_a_broker_that_is_killed_or_hangs_and_a_line_that_is_cut_cost_no_acknowledged_event_and_double_none(
    broker: Broker, places: dict[str, Place], accounts: dict[str, Reconciliation], run: Run
) -> None:
    place = places["kafka"]
    line = broker.line
    with place.collecting(NEXTCLICK_KAFKA__SERVERS=line.address) as collector:
        clients = Clients(collector)
        clients.more(100)
        with refusing(clients):
            broker.kill()
            sink_health(collector, 503)
        broker.start()
        sink_health(collector, 200)
        clients.more(100)
        with refusing(clients):
            broker.pause()
            sink_health(collector, 503)
        broker.resume()
        sink_health(collector, 200)
        clients.more(100)
        with refusing(clients):
            line.cut()
            sink_health(collector, 503)
        line.mend()
        sink_health(collector, 200)
        for _ in range(10):  # cut for a moment, what is under way with its answers is lost, and sent again
            line.cut()
            line.mend()
            clients.more(20)
        clients.stop()
    publish_segment(
        place, [view(number, event_id=f"i{number}", visitor_id="imported", client_time=NOW) for number in range(5)]
    )
    found = run(place)
    assert (found.residual, found.double_counted, found.missing, found.unexpected) == (0, 0, 0, 0)
    arrived = Counter(id for (id,) in place.ask("SELECT event_id FROM silver.events WHERE visitor_id LIKE 'c%'"))
    assert clients.acknowledged <= arrived.keys()
    assert set(arrived.values()) == {1}
    assert place.ask("SELECT count(*) FROM silver.events WHERE visitor_id = 'imported'") == [(5,)]


def from_topic(settings: Settings) -> dict[bytes, Profile]:
    """All profiles as the topic of events makes them."""
    topic, arrivals, by_key = settings.kafka.events_topic, Arrivals(settings), dict[bytes, list[Action]]()
    consumer = Consumer({"bootstrap.servers": settings.kafka.servers, "group.id": "tests"})
    partitions = [TopicPartition(topic, number, 0) for number in range(settings.kafka.partitions)]
    consumer.assign(partitions)
    for _ in range(sum(consumer.get_watermark_offsets(partition, 10)[1] for partition in partitions)):
        message = consumer.poll(10)
        assert message
        arrival = arrivals.read(message.value() or b"", received_at(message))
        assert arrival
        for key in arrival.keys:
            by_key.setdefault(key, []).append(arrival.action)
    consumer.close()
    return {key: profile.merge(EMPTY, actions) for key, actions in by_key.items()}


def becomes(settings: Settings, expected: dict[bytes, Profile]) -> None:
    """Live profiles come to be those."""
    wait_until(lambda: open_profiles(settings).get_many(list(expected)) == list(expected.values()))


def test_profiles_are_what_the_topic_makes_whether_their_collector_did_not_run_or_was_killed_under_load(
    broker: Broker, tmp_path: Path
) -> None:
    place = Place("kafka", tmp_path / "lake", broker)
    place.settings |= {"NEXTCLICK_KAFKA__EVENTS_TOPIC": "live.events", "NEXTCLICK_KAFKA__REJECTS_TOPIC": "live.rejects"}
    conf = shutil.copytree(DEFAULT_CONF, tmp_path / "conf")
    (conf / "hasty.toml").write_text(
        '[kafka.client]\n"session.timeout.ms" = "1000"\n"heartbeat.interval.ms" = "200"\n'  # a killed one is gone sooner
    )
    place.settings |= {"NEXTCLICK_CONF_DIR": str(conf), "NEXTCLICK_PROFILE": "hasty"}
    with place.collecting(NEXTCLICK_LIVE__ENABLED="false") as collector:
        assert collector.post("/v1/events", [view(number, user_id="u1") for number in range(90)]).status == 200
    before = from_topic(place.loaded)
    assert len(before) == 8
    with place.collecting() as collector:
        becomes(place.loaded, before)
        load_ = Load(collector, "killed")
        wait_until(lambda: load_.acknowledged > 50)
        collector.stop(signal.SIGKILL)
        load_.stop()
    publish_segment(place, [view(0, visitor_id="imported", client_time=NOW)])
    after = from_topic(place.loaded)
    assert after != before
    with place.collecting():
        becomes(place.loaded, after)
        imported = [profile.visitor_key("default", "imported")]
        wait_until(lambda: len(open_profiles(place.loaded).get_many(imported)[0].actions) == 1)


def members(settings: Settings) -> list[int]:
    """How many partitions each follower of the group has."""
    admin = AdminClient({"bootstrap.servers": settings.kafka.servers})
    name = group(open_profiles(settings))
    described = admin.describe_consumer_groups([name])[name].result(30)
    return sorted(len(member.assignment.topic_partitions) for member in described.members)


def test_two_collectors_divide_the_partitions_and_one_that_is_killed_leaves_its_own_to_the_other(
    broker: Broker, tmp_path: Path
) -> None:
    place = Place("kafka", tmp_path / "lake", broker)
    place.settings |= {"NEXTCLICK_KAFKA__EVENTS_TOPIC": "two.events", "NEXTCLICK_KAFKA__REJECTS_TOPIC": "two.rejects"}
    conf = shutil.copytree(DEFAULT_CONF, tmp_path / "conf")
    (conf / "hasty.toml").write_text('[kafka.client]\n"session.timeout.ms" = "1000"\n"heartbeat.interval.ms" = "200"\n')
    place.settings |= {"NEXTCLICK_CONF_DIR": str(conf), "NEXTCLICK_PROFILE": "hasty"}
    with place.collecting() as one, place.collecting() as other:
        wait_until(lambda: members(place.loaded) == [2, 2])
        loads = [Load(collector, who) for collector, who in ((one, "one"), (other, "other"))]
        wait_until(lambda: all(load_.acknowledged > 30 for load_ in loads))
        other.stop(signal.SIGKILL)
        wait_until(lambda: members(place.loaded) == [4])
        before = loads[0].acknowledged
        wait_until(lambda: loads[0].acknowledged > before + 30)
        for load_ in loads:
            load_.stop()
        becomes(place.loaded, from_topic(place.loaded))


def test_imports_replays_and_what_was_served_come_by_the_topics_and_leave_no_segment_here(
    broker: Broker, places: dict[str, Place], accounts: dict[str, Reconciliation], run: Run, tmp_path: Path
) -> None:
    place = places["kafka"]
    log = tmp_path / "access.log"
    log.write_text('203.0.113.9 - - [27/Nov/2026:10:00:00 +0000] "GET /imported HTTP/1.1" 200 1 "-" "Mozilla/5.0"\n')
    done = CliRunner(env=place.settings).invoke(
        cli, ["--lake", str(place.lake), "import", "--format", "auto", str(log)]
    )
    assert done.exit_code == 0, done.output
    recorder = open_record(place.loaded, ServingMetrics())
    recorder.start()
    recorder.put(msgspec.json.encode(view(0, event="served", event_id="served-1", visitor_id="v1")))
    recorder.close()
    assert not list(place.lake.rglob("outbox/**/*.log"))
    ingest = step("ingest_events")
    assert has_new_data(place.loaded.lake, ingest, place.loaded)
    found = run(place)
    assert not has_new_data(place.loaded.lake, ingest, place.loaded)
    assert (found.residual, found.double_counted, found.missing, found.unexpected) == (0, 0, 0, 0)
    came = place.ask(
        "SELECT source, regexp_matches(seq.segment, '^nextclick.events-[0-9]+$') FROM bronze.events WHERE source IN ('log', 'server')"
    )
    assert sorted(came) == [("log", True), ("server", True)]
    assert place.ask("SELECT count(*) FROM silver.events WHERE page_url LIKE '%/imported'") == [(1,)]


def test_a_rebuild_of_what_kafka_has_dropped_is_refused(
    broker: Broker, places: dict[str, Place], accounts: dict[str, Reconciliation]
) -> None:
    place = places["kafka"]
    refuse_loss(place.loaded)
    [(partition,)] = place.ask("SELECT min(seq.segment) FROM bronze.events WHERE source = 'plain'")
    topic, _, number = partition.rpartition("-")
    admin = AdminClient({"bootstrap.servers": broker.address})
    for done in admin.delete_records([TopicPartition(topic, int(number), 1)]).values():
        done.result(30)
    with pytest.raises(LakeError, match="begins at offset 1, and what the lake has of it at 0"):
        refuse_loss(place.loaded)
