"""A Redis of the tests' own, and lists in gold that a reader can check by eye."""

import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pytest
from deltalake import CommitProperties, DeltaTable, write_deltalake

from nextclick.contracts import arrow
from nextclick.contracts.gold_lists import ITEM_VECTORS, NEXT_ITEMS, POPULAR_ITEMS, RECOMMENDATIONS, SIMILAR_ITEMS
from nextclick.contracts.table import Table
from nextclick.kv.backends import BACKENDS
from nextclick.lake import lists_manifest
from nextclick.settings import Settings, load
from serving.recommend import lookup
from tests.collector_process import Collector, collecting
from tests.wait import listens

List = Sequence[tuple[str, float]]
"""Items and scores, best first."""
ANN, BOB, CLO = [("a", 3.0), ("b", 2.0)], [("c", 1.0)], [("b", 9.0), ("c", 8.0), ("d", 7.0)]
POPULAR = [("p", 5.0), ("q", 4.0)]
BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="session")
def redis_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a redis-server that lives as long as the tests and keeps nothing."""
    with redis_process(tmp_path_factory.mktemp("redis")) as (_, port):
        yield port


@contextmanager
def redis_process(folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """A redis-server of one's own, and its port; skips the test where none is installed."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("redis-server is not installed (Debian: apt-get install redis-server)")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder), "--databases", "1"]
    with subprocess.Popen([program, *options], stdout=subprocess.DEVNULL) as server:
        try:
            _wait_for(port)
            yield server, port
        finally:
            server.terminate()


def _wait_for(port: int) -> None:
    for _ in range(200):
        if listens(port):
            return
        time.sleep(0.05)
    raise TimeoutError(f"redis-server does not listen on port {port}")


@pytest.fixture
def redis_url(redis_port: int) -> Iterator[str]:
    """The URL of an empty Redis."""
    import redis

    url = f"redis://127.0.0.1:{redis_port}/0"
    with redis.Redis.from_url(url) as client:
        client.flushall()
        yield url
        client.flushall()


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    """A collector on loopback that the tests of a file share."""
    with collecting(tmp_path_factory.mktemp("collector") / "lake") as running:
        yield running


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A lake of its own, with lists in LMDB."""
    return load(lake=tmp_path / "lake", environ={})


@pytest.fixture
def in_redis(settings: Settings, redis_url: str) -> Settings:
    """The same lake, with lists in Redis."""
    return with_kv(settings, backend="redis", redis_url=redis_url)


@pytest.fixture(params=BACKENDS)
def lake(request: pytest.FixtureRequest, settings: Settings) -> Settings:
    """A lake whose lists go to each backend in turn."""
    chosen: Settings = request.getfixturevalue("in_redis") if request.param == "redis" else settings
    return chosen


def with_kv(settings: Settings, **changes: object) -> Settings:
    return msgspec.structs.replace(settings, kv=msgspec.structs.replace(settings.kv, **changes))


def served(settings: Settings, person: str) -> List:
    """The whole list that a person is served."""
    return [(item.item_id, item.score) for item in lookup(settings, person, 100).items]


class Gold:
    """Writes the tables of lists as the model's stations do: a manifest with each commit of lists."""

    def __init__(self, settings: Settings) -> None:
        self.lake = settings.lake
        self._site = settings.site
        self._clock: Callable[[], datetime] = (BEGINNING + timedelta(hours=hour) for hour in count()).__next__

    def full(
        self,
        people: Mapping[str, List],
        popular: List,
        similar: Mapping[str, List] | None = None,
        model: str = "1",
        after: Mapping[str, List] | None = None,
        vectors: Mapping[str, Sequence[float]] | None = None,
        session: lists_manifest.PinnedSessionModel | None = None,
    ) -> None:
        """Lists of everybody, as a nightly export."""
        now = self._clock()
        everybody = _rows(RECOMMENDATIONS, self._site, people, now, model)
        versions = (
            self._write(POPULAR_ITEMS, _rows(POPULAR_ITEMS, self._site, {"": popular}, now, model)),
            self._write(SIMILAR_ITEMS, _rows(SIMILAR_ITEMS, self._site, similar or {}, now, model)),
        )
        manifest = self._manifest(now, len(people), versions, model)
        if after is not None:
            version = self._write(NEXT_ITEMS, _rows(NEXT_ITEMS, self._site, after, now, model))
            manifest = msgspec.structs.replace(manifest, next_version=version)
        if session is not None:
            manifest = msgspec.structs.replace(manifest, session=session)
        if vectors is not None:
            manifest = msgspec.structs.replace(manifest, vectors=self._vectors(vectors, now, model))
        self._write(RECOMMENDATIONS, everybody, manifest)

    def update(
        self,
        people: Mapping[str, List],
        removed: Sequence[str] = (),
        unsaid: Sequence[str] = (),
        popular: List | None = None,
    ) -> None:
        """New lists of some people, and some that went: `unsaid` ones without a word in the manifest."""
        now, before = self._clock(), lists_manifest.read(self.lake)
        assert before is not None
        changed = [*people, *removed, *unsaid]
        manifest = msgspec.structs.replace(
            before, kind="update", generated_at=now, changed=len(changed), removed=list(removed)
        )
        if popular is not None:
            everybody = _rows(POPULAR_ITEMS, self._site, {"": popular}, now, before.model_version)
            manifest = msgspec.structs.replace(manifest, popular_version=self._write(POPULAR_ITEMS, everybody))
        rows = _rows(RECOMMENDATIONS, self._site, people, now, before.model_version)
        kept = DeltaTable(self.lake.table(RECOMMENDATIONS.name)).to_pyarrow_table()
        stays = pa.array([person not in changed for person in kept["person_id"].to_pylist()], pa.bool_())
        self._write(RECOMMENDATIONS, pa.concat_tables([kept.filter(stays).cast(rows.schema), rows]), manifest)

    def rows(self, rows: pa.Table, people: int) -> None:
        """gold.recommendations as `rows` has it, in that order."""
        before = lists_manifest.read(self.lake)
        assert before is not None
        versions = before.popular_version, before.similar_version
        self._write(RECOMMENDATIONS, rows, self._manifest(self._clock(), people, versions, "1"))

    def back_to(self, version: int) -> None:
        """gold.recommendations as it was at a version, as a rollback of the model brings it."""
        wanted = lists_manifest.read(self.lake, version)
        assert wanted is not None
        DeltaTable(self.lake.table(RECOMMENDATIONS.name)).restore(
            version, commit_properties=CommitProperties(custom_metadata=lists_manifest.encode(wanted))
        )

    def _vectors(self, vectors: Mapping[str, Sequence[float]], now: datetime, model: str) -> lists_manifest.Vectors:
        stamp = {"site": self._site, "model_version": model, "generated_at": now}
        rows = [{"item_id": item, "vector": vector} | stamp for item, vector in vectors.items()]
        version = self._write(ITEM_VECTORS, pa.Table.from_pylist(rows, schema=arrow.schema(ITEM_VECTORS)))
        dimensions = len(next(iter(vectors.values())))
        return lists_manifest.Vectors(
            table_version=version, method="als", dimensions=dimensions, regularization=1, alpha=1
        )

    def _manifest(
        self, now: datetime, people: int, versions: tuple[int, int], model: str
    ) -> lists_manifest.ListsManifest:
        return lists_manifest.ListsManifest(
            lists_id=f"{now:%Y%m%dT%H}", kind="full", site=self._site, model_version=model, run_id=None,
            interactions_version=7, interactions_id="a", generated_at=now, people=people, changed=people,
            popular_version=versions[0], similar_version=versions[1], state="exports/1", digest="", model_digest="",
        )  # fmt: skip

    def _write(self, table: Table, rows: pa.Table, manifest: lists_manifest.ListsManifest | None = None) -> int:
        path = self.lake.table(table.name)
        properties = CommitProperties(custom_metadata=lists_manifest.encode(manifest)) if manifest else None
        write_deltalake(path, rows, mode="overwrite", commit_properties=properties)
        return int(DeltaTable(path).version())


def _rows(table: Table, site: str, lists: Mapping[str, List], now: datetime, model: str) -> pa.Table:
    owner = {RECOMMENDATIONS.name: "person_id", SIMILAR_ITEMS.name: "item_id", NEXT_ITEMS.name: "item_id"}.get(
        table.name
    )
    item = {SIMILAR_ITEMS.name: "similar_item_id", NEXT_ITEMS.name: "next_item_id"}.get(table.name, "item_id")
    rows = [
        {"site": site, "rank": rank, item: name, "score": score, "model_version": model, "generated_at": now}
        | ({owner: whose} if owner else {})
        for whose, places in lists.items()
        for rank, (name, score) in enumerate(places, 1)
    ]
    return pa.Table.from_pylist(rows, schema=arrow.schema(table))


@pytest.fixture
def gold(settings: Settings) -> Gold:
    """The lake's tables of lists, still to be written."""
    return Gold(settings)


@pytest.fixture
def metrics(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Those of an API process."""
    (tmp_path / "metrics").mkdir()
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path / "metrics"))
    from serving.metrics import ServingMetrics

    return ServingMetrics()
