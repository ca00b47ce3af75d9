"""A real Apache Kafka broker of the tests' own: KRaft, one node, on free ports of loopback."""

import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import pyspark

from spark_jobs.jars import BROKER, wanting

_JVM = ("-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
_PROPERTIES = """
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=BROKER://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
listener.security.protocol.map=BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=BROKER
controller.listener.names=CONTROLLER
log.dirs={folder}/data
auto.create.topics.enable=false
# One that was killed is back as soon as it runs, not when its registration of 9 s has lapsed.
broker.heartbeat.interval.ms=300
broker.session.timeout.ms=1500
"""


def missing() -> str:
    """Why no broker can be started here; empty if one can."""
    return "the broker's jars are not here: `make kafka` fetches them" if wanting(BROKER.folder, BROKER.sums) else ""


class Broker:
    """A broker with a data folder that outlives its process."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._folder = folder
        self.port, controller = _free_ports()
        self.address = f"127.0.0.1:{self.port}"
        self._properties = folder / "server.properties"
        self._properties.write_text(_PROPERTIES.format(port=self.port, controller=controller, folder=folder))
        subprocess.run(
            [*self._java("kafka.tools.StorageTool"), "format", "-t", "bmV4dGNsaWNrLXRlc3RzMQ", "-c", self._properties],
            check=True,
            capture_output=True,
        )
        self.start()

    def start(self) -> None:
        """Start it, and wait until it listens."""
        with (self._folder / "log").open("a") as log:
            command = [*self._java("kafka.Kafka"), str(self._properties)]
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        deadline = time.monotonic() + 60
        while not self._listens():
            assert self._process.poll() is None, (self._folder / "log").read_text()
            assert time.monotonic() < deadline, "the broker does not listen"
            time.sleep(0.1)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def pause(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def _listens(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True

    def _java(self, main: str) -> list[str]:
        java = str(Path(os.environ["JAVA_HOME"]) / "bin" / "java") if "JAVA_HOME" in os.environ else "java"
        # Spark's resolver leaves Scala's library out, since Spark has it.
        [scala] = (Path(pyspark.__file__).parent / "jars").glob("scala-library-2.13.*.jar")
        return [java, *_JVM, "-cp", f"{BROKER.folder}/*:{scala}", main]


def _free_ports() -> tuple[int, int]:
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]
