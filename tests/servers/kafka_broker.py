"""A real Apache Kafka broker of the tests' own: KRaft, one node, on free ports of loopback."""

import os
import signal
import socket
import struct
import subprocess
import threading
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import pyspark

from spark_jobs.jars import BROKER, wanting
from tests.wait import listens

_JVM = ("-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
_PROPERTIES = """
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=BROKER://127.0.0.1:{port},FAR://127.0.0.1:{far},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=BROKER://127.0.0.1:{port},FAR://127.0.0.1:{line}
listener.security.protocol.map=BROKER:PLAINTEXT,FAR:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=BROKER
controller.listener.names=CONTROLLER
log.dirs={folder}/data
auto.create.topics.enable=false
# One that was killed is back as soon as it runs, not when its registration of 9 s has lapsed.
broker.heartbeat.interval.ms=300
broker.session.timeout.ms=1500
# One broker cannot keep the three copies of the groups that it would by default; nor do tests wait for more members.
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=500
"""
_SAFE = """
listeners=BROKER://127.0.0.1:{port},FAR://127.0.0.1:{far},CONTROLLER://127.0.0.1:{controller},SAFE://127.0.0.1:{safe}
advertised.listeners=BROKER://127.0.0.1:{port},FAR://127.0.0.1:{line},SAFE://127.0.0.1:{safe}
listener.security.protocol.map=BROKER:PLAINTEXT,FAR:PLAINTEXT,CONTROLLER:PLAINTEXT,SAFE:SASL_SSL
sasl.enabled.mechanisms=PLAIN
listener.name.safe.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_{user}="{password}";
listener.name.safe.ssl.keystore.type=PEM
listener.name.safe.ssl.keystore.location={keystore}
"""
USER, PASSWORD = "$ConnectionString", "Endpoint=sb://tests/;SharedAccessKey=abc"
"""As Event Hubs has them."""


def missing() -> str:
    """Why no broker can be started here; empty if one can."""
    return "the broker's jars are not here: `make kafka` fetches them" if wanting(BROKER.folder, BROKER.sums) else ""


class Broker:
    """A broker with a data folder that outlives its process; `line` is a way to it that can be cut.

    With a `keystore`, a file with a key and its certificate in PEM, `safe` is one by SASL_SSL and PLAIN, as Event Hubs has.
    """

    def __init__(self, folder: Path, keystore: Path | None = None) -> None:
        folder.mkdir()
        self._folder = folder
        self.port, far, controller, safe = _free_ports()
        self.address, self.safe = f"127.0.0.1:{self.port}", f"127.0.0.1:{safe}"
        self.line = Line(far)
        self._properties = folder / "server.properties"
        self._properties.write_text(
            (_PROPERTIES + (_SAFE if keystore else "")).format(
                port=self.port,
                far=far,
                line=self.line.port,
                controller=controller,
                folder=folder,
                safe=safe,
                user=USER,
                password=PASSWORD,
                keystore=keystore,
            )
        )
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
        while not listens(self.port):
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

    def _java(self, main: str) -> list[str]:
        java = str(Path(os.environ["JAVA_HOME"]) / "bin" / "java") if "JAVA_HOME" in os.environ else "java"
        # Spark's resolver leaves Scala's library out, since Spark has it.
        [scala] = (Path(pyspark.__file__).parent / "jars").glob("scala-library-2.13.*.jar")
        return [java, *_JVM, "-cp", f"{BROKER.folder}/*:{scala}", main]


class Line:
    """A port from which bytes go to another one and back, until it is cut: then connections are reset, and new ones, too."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.address = f"127.0.0.1:{self.port}"
        self._is_cut = False
        self._ends: set[socket.socket] = set()
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """What is under way in either direction is lost."""
        self._is_cut = True
        for end in list(self._ends):
            _reset(end)

    def mend(self) -> None:
        self._is_cut = False

    def _accept(self) -> None:
        while True:
            near, _ = self._listener.accept()
            try:
                if self._is_cut:
                    raise ConnectionRefusedError
                far = socket.create_connection(("127.0.0.1", self._target), timeout=5)
                far.settimeout(None)
            except OSError:
                _reset(near)
                continue
            self._ends |= {near, far}
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self._pass_on, args=(source, sink), daemon=True).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                sink.sendall(data)
        for end in (source, sink):
            _reset(end)
            self._ends.discard(end)


def _reset(end: socket.socket) -> None:
    """Close without a farewell: the other side sees a reset."""
    with suppress(OSError):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        end.shutdown(socket.SHUT_RDWR)
    end.close()


def _free_ports(count: int = 4) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
