"""Exports that are killed, and a Redis that refuses, resets or delays: the old lists or the new, never a mixture."""

import random
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path

import pytest

from nextclick import kv
from nextclick.errors import ModelError
from nextclick.settings import Settings
from serving.export import export
from serving.export.build import Tally
from serving.recommend import ServedLists

from .conftest import Gold, with_kv

PEOPLE = [f"person-{number}" for number in range(12)]


def publish(gold: Gold, model: int) -> None:
    """Lists of everybody in which each item names the model, so that a mixture shows."""
    people = {person: [(f"{model}-{rank}", 1.0 / rank) for rank in range(1, 4)] for person in PEOPLE}
    gold.full(people, [(f"{model}-popular", 1.0)], {"a": [(f"{model}-similar", 1.0)]}, model=str(model))


def served_model(settings: Settings) -> int:
    """The one model that all answers are of."""
    lists = ServedLists(kv.open_table(settings))
    answers = [lists.of_person(person, 10) for person in [*PEOPLE, "unknown"]] + [lists.similar_to("a", 10)]
    named = {item.item_id.split("-")[0] for answer in answers for item in answer.items}
    assert named == {answer.model_version for answer in answers}
    assert [len(answer.items) for answer in answers] == [3] * len(PEOPLE) + [1, 1]
    (model,) = named
    return int(model)


def assert_whole(settings: Settings) -> None:
    """The manifest's count and digest are those of the entries that the store holds, and there is no debris."""
    table = kv.open_table(settings)
    manifest = table.current()
    assert manifest is not None
    copy, tally = table.begin(manifest.version), Tally()
    tally.add(list(copy.entries()))
    copy.abandon()
    assert tally == Tally(manifest.entries, manifest.people, manifest.rows, int(manifest.digest, 16))
    assert versions_in_store(settings) == {each["version"] for each in export.versions(settings)}
    assert len(versions_in_store(settings)) <= settings.export.keep_versions


def versions_in_store(settings: Settings) -> set[int]:
    if settings.kv.backend == "lmdb":
        return {int(path.name.strip(".")) for path in (settings.lake.kv / "recommendations").iterdir() if path.is_dir()}
    import redis

    with redis.Redis.from_url(settings.kv.redis_url) as client:
        return {int(name) for key in client.keys("*") if (name := key.decode().split(":")[3]).isdigit()}


class Killer:
    """Runs exports that die at a step."""

    def __init__(self, settings: Settings) -> None:
        script = Path(__file__).with_name("killed_export.py")
        words = [str(settings.lake.root), settings.kv.backend, settings.kv.redis_url]
        self.process = subprocess.Popen(
            [sys.executable, str(script), *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def export(self, step: int) -> str:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{step}\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def close(self) -> None:
        self.process.communicate()


@pytest.mark.parametrize(
    ("backend", "stride"),
    [
        ("lmdb", 3),
        ("redis", 19),
        pytest.param("lmdb", 1, marks=pytest.mark.stress),
        pytest.param("redis", 1, marks=pytest.mark.stress),
    ],
)
def test_an_export_killed_at_any_step_leaves_one_whole_version_and_the_next_one_tidies_up(
    request: pytest.FixtureRequest, settings: Settings, gold: Gold, backend: str, stride: int
) -> None:
    lake: Settings = request.getfixturevalue("in_redis") if backend == "redis" else settings
    publish(gold, 1)
    export.run(lake)
    newest, kills, killer = 1, 0, Killer(lake)
    for step in count(1, stride):
        before = served_model(lake)
        if before == newest:  # else the killed export is tried again, with the same lists
            publish(gold, newest := newest + 1)
        outcome = killer.export(step)
        assert served_model(lake) in (before, newest)
        if outcome == "done":
            break
        assert outcome == "killed"
        kills += 1
    killer.close()
    assert kills > 3
    export.run(lake)
    assert served_model(lake) == newest
    assert_whole(lake)


class Proxy:
    """Stands between an export and Redis; breaks what it is told to."""

    def __init__(self, port: int) -> None:
        self._redis = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.fired = 0
        self.heal()
        threading.Thread(target=self._accept, daemon=True).start()

    def heal(self) -> None:
        self.refuse, self.delay, self.reset_after = False, 0.0, float("inf")

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self.refuse:
                self._reset(client)
                continue
            server = socket.create_connection(("127.0.0.1", self._redis))
            for source, target in ((client, server), (server, client)):
                threading.Thread(target=self._forward, args=(source, target), daemon=True).start()

    def _forward(self, source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(4096):
                if self.delay:
                    self.fired += 1
                    time.sleep(self.delay)
                self.reset_after -= len(data)
                if self.reset_after < 0:
                    self._reset(source)
                    self._reset(target)
                    return
                target.sendall(data)
        except OSError:
            pass
        finally:
            target.close()

    def _reset(self, connection: socket.socket) -> None:
        self.fired += 1
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()


@pytest.fixture
def proxy(redis_port: int) -> Iterator[Proxy]:
    between = Proxy(redis_port)
    yield between
    between.close()


@pytest.fixture
def behind(in_redis: Settings, proxy: Proxy) -> Settings:
    """The same Redis, by way of the proxy."""
    return with_kv(in_redis, redis_url=f"redis://127.0.0.1:{proxy.port}/0", redis_timeout_seconds=0.3)


def assert_survived(in_redis: Settings, behind: Settings, proxy: Proxy) -> None:
    """The fault showed, the old lists are served, and the next export through the mended way is whole."""
    assert proxy.fired
    assert served_model(in_redis) == 1
    proxy.heal()
    assert export.run(behind).written
    assert served_model(behind) == 2
    assert_whole(in_redis)


def test_a_redis_that_refuses_fails_the_export_and_the_old_lists_are_served(
    in_redis: Settings, behind: Settings, proxy: Proxy, gold: Gold
) -> None:
    publish(gold, 1)
    export.run(behind)
    publish(gold, 2)
    proxy.refuse = True
    with pytest.raises(ModelError, match="nextclick export"):
        export.run(behind)
    assert_survived(in_redis, behind, proxy)


def test_a_redis_that_is_too_slow_fails_the_export_and_the_old_lists_are_served(
    in_redis: Settings, behind: Settings, proxy: Proxy, gold: Gold
) -> None:
    publish(gold, 1)
    export.run(behind)
    publish(gold, 2)
    proxy.delay = 1.0
    with pytest.raises(ModelError, match="Timeout"):
        export.run(behind)
    assert_survived(in_redis, behind, proxy)


@pytest.mark.parametrize("seed", range(4))
def test_a_connection_reset_in_the_midst_of_an_export_leaves_the_old_lists(
    in_redis: Settings, behind: Settings, proxy: Proxy, gold: Gold, seed: int
) -> None:
    publish(gold, 1)
    export.run(behind)
    publish(gold, 2)
    proxy.reset_after = random.Random(seed).randrange(50_000)
    with pytest.raises(ModelError, match=r"127\.0\.0\.1"):
        export.run(behind)
    assert_survived(in_redis, behind, proxy)


def test_readers_ask_the_same_version_all_along_while_exports_come(settings: Settings, gold: Gold) -> None:
    publish(gold, 1)
    export.run(settings)
    lists, seen, stop = ServedLists(kv.open_table(settings)), list[set[str]](), threading.Event()

    def read() -> None:
        while not stop.is_set():
            answers = [lists.of_person(person, 3) for person in PEOPLE[:1]]
            seen.append({item.item_id.split("-")[0] for answer in answers for item in answer.items})
            time.sleep(0.0005)  # a turn for the exports

    reader = threading.Thread(target=read)
    reader.start()
    for model in islice(count(2), 5):
        publish(gold, model)
        export.run(settings)
    stop.set()
    reader.join()
    assert all(len(models) == 1 for models in seen)
    assert len({model for models in seen for model in models}) > 1
