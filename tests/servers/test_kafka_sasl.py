"""Kafka's protocol as Event Hubs and its like offer it: TLS and PLAIN; what is wrong with either is named."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec
import pytest

pytest.importorskip("confluent_kafka", reason="the Kafka client is not installed: `make extras` brings it")

from nextclick.reconciliation import Reconciliation
from nextclick.settings import CHECKOUT
from spark_jobs.jars import KAFKA, wanting
from tests.collector_process import collecting
from tests.integration.test_tls import certificate
from tests.servers import kafka_broker
from tests.servers.kafka_broker import PASSWORD, USER, Broker
from tests.wait import wait_until

pytestmark = [pytest.mark.servers, pytest.mark.slow]


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The broker's, which signs itself, and one of somebody else."""
    folders = [tmp_path_factory.mktemp(name) for name in ("ours", "theirs")]
    return certificate(folders[0])[0], certificate(folders[1])[0]


@pytest.fixture(scope="module")
def broker(certificates: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    if why := kafka_broker.missing():
        pytest.skip(why)
    ours = certificates[0]
    keystore = ours.with_name("keystore.pem")
    keystore.write_bytes(ours.with_name("key.pem").read_bytes() + ours.read_bytes())
    broker = Broker(tmp_path_factory.mktemp("kafka") / "broker", keystore)
    yield broker
    broker.kill()


def settings(broker: Broker, ca: Path, password: str = PASSWORD) -> Mapping[str, str]:
    """As docs/kafka.md says it of Event Hubs."""
    common = {"security.protocol": "SASL_SSL", "sasl.mechanism": "PLAIN"}
    client = {"sasl.username": USER, "sasl.password": password, "ssl.ca.location": str(ca)}
    login = f"org.apache.kafka.common.security.plain.PlainLoginModule required username='{USER}' password='{password}';"
    spark = {"sasl.jaas.config": login, "ssl.truststore.type": "PEM", "ssl.truststore.location": str(ca)}
    return {
        "NEXTCLICK_COLLECTOR__SINK": "kafka",
        "NEXTCLICK_STREAMING__SOURCE": "kafka",
        "NEXTCLICK_KAFKA__SERVERS": broker.safe,
        "NEXTCLICK_KAFKA__DELIVERY_SECONDS": "3",
        "NEXTCLICK_KAFKA__CLIENT": json.dumps(common | client),
        "NEXTCLICK_KAFKA__SPARK": json.dumps(common | spark),
    }


@pytest.mark.spark
def test_events_go_from_the_door_to_silver_by_tls_and_a_password(
    broker: Broker, certificates: tuple[Path, Path], tmp_path: Path
) -> None:
    if wanting(KAFKA.folder, KAFKA.sums):
        pytest.skip("the jars of Spark's Kafka source are not here: `make kafka` fetches them")
    lake, known = tmp_path / "lake", settings(broker, certificates[0])
    with collecting(lake, under=(), **known) as collector:
        events = [{"event": "page_view", "event_id": f"e{n}", "visitor_id": f"v{n % 7}"} for n in range(50)]
        assert collector.post("/v1/events", events).status == 200
        assert collector.ask("/sink-health").status == 200
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("kafka_jobs.py")), str(tmp_path / "session")],
        input=json.dumps({**known, "NEXTCLICK_LAKE": str(lake)}) + "\n",
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    there = msgspec.json.decode(done.stdout, type=Reconciliation)
    assert (there.accepted, there.silver, there.residual, there.missing) == (50, 50, 0, 0)


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ("password", "The brokers refuse the credentials: look at sasl"),
        ("ca", "TLS fails: look at security.protocol and at the CA"),
    ],
)
def test_what_is_wrong_is_named(
    broker: Broker, certificates: tuple[Path, Path], tmp_path: Path, wrong: str, named: str
) -> None:
    ours, theirs = certificates
    known = settings(broker, theirs if wrong == "ca" else ours, "wrong" if wrong == "password" else PASSWORD)
    with collecting(tmp_path / "lake", under=(), **known) as collector:
        wait_until(lambda: named in collector.ask("/sink-health").body.decode(), seconds=60)
        health = collector.ask("/sink-health")
        assert health.status == 503
        assert PASSWORD not in health.body.decode()
        assert collector.post("/v1/events", {"event": "page_view"}).status == 503
