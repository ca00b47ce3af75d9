"""Delta's log and Spark's checkpoints in a real object store, by the classes that are compiled here: of many writers one wins.

A JVM without Spark is enough for that; Python drives it by py4j.
"""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyspark
import pytest
from py4j.java_gateway import GatewayParameters, JavaGateway, launch_gateway  # type: ignore[import-untyped]
from py4j.protocol import Py4JJavaError  # type: ignore[import-untyped]

from nextclick.object_store import bucket
from nextclick.settings import load
from spark_jobs import jars
from spark_jobs.object_store import compiled, properties
from tests import object_store

_NO_CONNECTOR = bool(jars.wanting(jars.S3.folder, jars.S3.sums)) or not compiled.classes().exists()
pytestmark = [
    pytest.mark.servers,
    pytest.mark.spark,
    pytest.mark.slow,
    pytest.mark.skipif(bool(object_store.missing()), reason=object_store.missing()),
    pytest.mark.skipif(_NO_CONNECTOR, reason="Spark's connector of S3 is not here: `make s3` brings it"),
]
TAKEN = "FileAlreadyExistsException"


@pytest.fixture(scope="module")
def store() -> Iterator[object_store.Store]:
    with object_store.running() as store:
        yield store


@pytest.fixture(scope="module")
def gateway(store: object_store.Store) -> Iterator[JavaGateway]:
    spark = Path(pyspark.__file__).parent / "jars"
    [py4j] = spark.glob("py4j-*.jar")
    classes = ":".join((f"{spark}/*", f"{jars.FOLDER}/*", *map(str, compiled.all_jars())))
    port = launch_gateway(jarpath=str(py4j), classpath=classes, javaopts=["-XX:TieredStopAtLevel=1"], die_on_exit=True)
    gateway = JavaGateway(gateway_parameters=GatewayParameters(port=port, auto_convert=True))
    yield gateway
    gateway.shutdown()


class Java:
    """The classes, told of a store at an endpoint."""

    def __init__(self, gateway: JavaGateway, store: object_store.Store, endpoint: str, folder: Path) -> None:
        settings = load(
            store.lake(folder.name), environ={**store.environment(folder), "NEXTCLICK_STORAGE__ENDPOINT": endpoint}
        )
        self.address = settings.lake.data
        self._jvm, self._conf = gateway.jvm, gateway.jvm.org.apache.hadoop.conf.Configuration()
        for key, value in properties.of(settings.storage).items():
            self._conf.set(key.removeprefix("spark.hadoop."), value)
        self._conf.set("fs.s3.impl.disable.cache", "true")  # one bucket has one endpoint elsewhere
        for key, value in (("access", "AWS_ACCESS_KEY_ID"), ("secret", "AWS_SECRET_ACCESS_KEY")):
            self._conf.set(
                f"fs.s3a.{key}.key", object_store.CREDENTIALS[value]
            )  # Spark takes them from the environment
        self.log = self._jvm.nextclick.storage.ConditionalLogStore(self._conf)

    def path(self, name: str) -> Any:
        return self._jvm.org.apache.hadoop.fs.Path(f"{self.address}/{name}")

    def commit(self, name: str, line: str) -> None:
        self.log.write(self.path(name), self._jvm.java.util.List.of(line).iterator(), False, self._conf)

    def checkpoint(self, name: str) -> Any:
        return self._jvm.nextclick.storage.ConditionalCheckpointFileManager(self.path(name), self._conf)


@pytest.fixture
def java(gateway: JavaGateway, store: object_store.Store, tmp_path: Path) -> Java:
    return Java(gateway, store, store.endpoint, tmp_path)


def content(java: Java, name: str) -> bytes | None:
    there = bucket.get(f"{java.address}/{name}")
    return there.content if there else None


def test_of_many_who_commit_one_version_one_wins_and_the_others_are_told(java: Java) -> None:
    for version in range(8):
        name, winners, losers = f"t/_delta_log/{version:020}.json", list[bytes](), list[str]()

        def by_java(line: str, name: str = name, winners: list[bytes] = winners, losers: list[str] = losers) -> None:
            try:
                java.commit(name, line)
                winners.append(f"{line}\n".encode())
            except Py4JJavaError as error:
                losers.append(str(error.java_exception))

        def by_deltalakes_way(name: str = name, winners: list[bytes] = winners, losers: list[str] = losers) -> None:
            try:
                bucket.put_new(f"{java.address}/{name}", b"python")
                winners.append(b"python")
            except bucket.ConditionFailed:
                losers.append(TAKEN)

        writers = [threading.Thread(target=by_java, args=(f"java {n}",)) for n in range(4)]
        writers += [threading.Thread(target=by_deltalakes_way) for _ in range(2)]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
        assert winners == [content(java, name)]
        assert [TAKEN in loser for loser in losers] == [True] * 5


def test_a_commit_whose_reply_was_lost_is_known_for_its_own(
    gateway: JavaGateway, store: object_store.Store, tmp_path: Path
) -> None:
    proxy = object_store.LosingProxy(store, "/_delta_log/")
    java = Java(gateway, store, proxy.endpoint, tmp_path)
    java.commit("t/_delta_log/0.json", "mine")
    with pytest.raises(Py4JJavaError, match=TAKEN):
        java.commit("t/_delta_log/0.json", "another's")
    assert len(proxy.end()) == 1
    load(store.lake(tmp_path.name), environ=store.environment(tmp_path))
    assert content(java, "t/_delta_log/0.json") == b"mine\n"


def test_a_file_of_a_checkpoint_is_written_once_whole_and_without_a_folder(java: Java) -> None:
    manager = java.checkpoint("c")
    manager.mkdirs(java.path("c/offsets"))
    assert list(manager.list(java.path("c/offsets"))) == []
    first, second, given_up = (manager.createAtomic(java.path(f"c/offsets/{name}"), False) for name in ("0", "0", "1"))
    for file in (first, second, given_up):
        file.write(b"whole")
    given_up.cancel()
    given_up.close()
    assert list(bucket.below(java.address)) == []
    first.close()
    with pytest.raises(Py4JJavaError, match=f"org.apache.hadoop.fs.{TAKEN}"):
        second.close()
    assert list(bucket.below(java.address)) == [f"{java.address}/c/offsets/0"]
    assert content(java, "c/offsets/0") == b"whole"
