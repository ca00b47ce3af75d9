"""Export to the key-value table, against the same lists as JSON, side by side in one run.

    make bench ARGS="export [--people 303000] [--items 40000] [--n 100] [--redis URL]"

Makes a gold.recommendations of random lists in a folder that is removed at the end,
then prints seconds and bytes of: packed lists in LMDB (the export as it is, with its
checks), the same rows as JSON values in one LMDB transaction, an incremental export of
1 % of the people, and reads a second of a long-lived reader.
"""

import argparse
import random
import resource
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple, TypeVar

import lmdb
import msgspec
import numpy as np
import pyarrow as pa
import redis

from benchmarks.measure import ratio
from ml.lists import item_vectors
from ml.lists.rows import ListStamp
from nextclick import kv
from nextclick.contracts.gold_lists import POPULAR_ITEMS, RECOMMENDATIONS, SIMILAR_ITEMS
from nextclick.identity import persons
from nextclick.lake import lists_manifest
from nextclick.lake.table_files import replace, upsert
from nextclick.settings import Settings, load
from serving.export import export
from serving.export.gold_lists import PEOPLE, pin, read
from serving.recommend import ServedLists

START = datetime(2026, 1, 1, tzinfo=UTC)
T = TypeVar("T")


def main() -> None:
    options = _options()
    folder = Path(tempfile.mkdtemp(prefix="nextclick-export-"))
    try:
        settings = load(lake=folder)
        if options.redis:
            chosen = msgspec.structs.replace(settings.kv, backend="redis", redis_url=options.redis)
            settings = msgspec.structs.replace(settings, kv=chosen)
        compare(settings, options)
    finally:
        shutil.rmtree(folder)


def compare(settings: Settings, options: argparse.Namespace) -> None:
    """Print the figures."""
    make_lists(settings, options.people, options.items, options.n)
    full, export_time = timed(lambda: export.run(settings))
    size = stored_bytes(settings)
    print(
        f"export, {settings.kv.backend}:  {export_time}  {size / 1e6:6.0f} MB  {full.details['kind']}, {full.read:,} rows"
    )
    size_json, json_time = timed(lambda: as_json(settings))
    print(f"JSON in LMDB:  {json_time}  {size_json / 1e6:6.0f} MB, without any check")
    print(ratio("export, time", export_time.wall, "JSON's", json_time.wall, 1))
    print(ratio("export, bytes", size, "JSON's", size_json, 0.25))
    change_lists(settings, options.people // 100, options.items, options.n)
    update, update_time = timed(lambda: export.run(settings))
    print(f"1 % changed:   {update_time}  {update.details['kind']}, {update.written:,} entries")
    print(f"reads:         {reads_a_second(settings, options.people):,.0f} lists of 10 a second, one reader")
    print(f"peak memory:   {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MB, with making the lists")


def make_lists(settings: Settings, people: int, items: int, n: int) -> None:
    """Random lists of all people as one full export."""
    lake, item_ids = settings.lake, _ids(items)
    popular = replace(lake, POPULAR_ITEMS, [_rows(settings.site, None, item_ids, 1, 200, START)])
    similar = replace(
        lake, SIMILAR_ITEMS, [_rows(settings.site, item_ids, item_ids, items, 20, START, "similar_item_id")]
    )
    everybody, vectors = _people(people), np.random.default_rng(2).normal(size=(items, 64)).astype(np.float32)
    placed = lists_manifest.Vectors(
        table_version=item_vectors.write(lake, item_ids, vectors, ListStamp(settings.site, "1", START), "overwrite"),
        method="als",
        dimensions=64,
        regularization=10,
        alpha=1,
    )
    parts = (
        _rows(settings.site, everybody.slice(start, 8192), item_ids, min(8192, people - start), n, START)
        for start in range(0, people, 8192)
    )
    manifest = _manifest(settings, "full", START, people, people, popular, similar)
    replace(lake, RECOMMENDATIONS, parts, msgspec.structs.replace(manifest, vectors=placed))


def change_lists(settings: Settings, changed: int, items: int, n: int) -> None:
    """New lists for some people, as an update makes them."""
    now, before = START + timedelta(hours=1), lists_manifest.read(settings.lake)
    assert before is not None
    some = _people(before.people).take(pa.array(np.sort(np.random.default_rng(1).permutation(before.people)[:changed])))
    manifest = _manifest(
        settings, "update", now, before.people, changed, before.popular_version, before.similar_version
    )
    upsert(
        settings.lake,
        RECOMMENDATIONS,
        "person_id",
        some,
        [_rows(settings.site, some, _ids(items), changed, n, now)],
        manifest,
    )


def as_json(settings: Settings) -> int:
    """The baseline, as fast as JSON goes: per person an array of [item, score], appended in order; returns its bytes."""
    folder = settings.lake.root / "json"
    with lmdb.open(str(folder), map_size=64 << 30, sync=False) as environment:
        for rows in filter(len, read(pin(settings.lake), PEOPLE)):
            with environment.begin(write=True) as transaction:
                for person, places in _by_person(rows):
                    transaction.put(person.encode(), msgspec.json.encode(places), append=True)
        environment.sync(True)
    return (folder / "data.mdb").stat().st_size


def _by_person(rows: pa.RecordBatch) -> Iterator[tuple[str, list[tuple[str, float]]]]:
    starts = np.flatnonzero(rows["rank"].to_numpy() == 1)
    people = rows["owner"].take(pa.array(starts)).to_pylist()
    coded = rows["item"].dictionary_encode()  # which leaves what is encoded as it is
    names, scores = coded.dictionary.to_pylist(), rows["score"].to_numpy().tolist()
    items = [names[code] for code in coded.indices.to_numpy().tolist()]
    for person, (start, end) in zip(people, pairwise([*starts.tolist(), len(rows)]), strict=True):
        yield person, list(zip(items[start:end], scores[start:end], strict=True))


def stored_bytes(settings: Settings) -> int:
    """Of the files of LMDB, or of all that the Redis holds."""
    if settings.kv.backend == "redis":
        with redis.Redis.from_url(settings.kv.redis_url) as client:
            return int(client.info("memory")["used_memory"])
    return sum(path.stat().st_size for path in settings.lake.kv.rglob("*") if path.is_file())


def reads_a_second(settings: Settings, people: int, reads: int = 100_000) -> float:
    lists, ids = ServedLists(kv.open_table(settings)), _people(people).to_pylist()
    chosen = random.Random(1).choices(ids, k=reads if settings.kv.backend == "lmdb" else reads // 20)
    _, taken = timed(lambda: [lists.of_person(person, 10) for person in chosen])
    return len(chosen) / taken.wall


class Seconds(NamedTuple):
    """Wall time and processor time; far apart on a busy machine."""

    wall: float
    processor: float

    def __str__(self) -> str:
        return f"{self.wall:6.2f} s (processor {self.processor:6.2f} s)"


def timed(what: Callable[[], T]) -> tuple[T, Seconds]:
    wall, processor = time.perf_counter(), time.process_time()
    result = what()
    return result, Seconds(time.perf_counter() - wall, time.process_time() - processor)


def _ids(n: int) -> pa.Array:
    return pa.array([f"{number:08d}" for number in range(n)])


def _people(n: int) -> pa.Array:
    """Anonymous visitors, as benchmarks of serving ask for them."""
    return pa.array([persons.of_visitor(f"{number:08d}") for number in range(n)])


def _rows(
    site: str, owners: pa.Array | None, items: pa.Array, lists: int, n: int, at: datetime, item_column: str = "item_id"
) -> pa.Table:
    random_items = np.random.default_rng(lists).integers(0, len(items), lists * n).astype(np.int32)
    scores = np.tile(np.linspace(1, 0, n, dtype=np.float32), lists)
    columns = {"site": _same(site, lists * n), "rank": pa.array(np.tile(np.arange(1, n + 1, dtype=np.int32), lists))}
    if owners is not None:
        codes = pa.array(np.repeat(np.arange(lists, dtype=np.int32), n))
        columns["person_id" if item_column == "item_id" else "item_id"] = pa.DictionaryArray.from_arrays(codes, owners)
    columns[item_column] = pa.DictionaryArray.from_arrays(pa.array(random_items), items)
    columns |= {"score": pa.array(scores), "model_version": _same("1", lists * n)}
    columns["generated_at"] = pa.array(np.full(lists * n, int(at.timestamp() * 1e6)), pa.timestamp("us", "UTC"))
    table = POPULAR_ITEMS if owners is None else RECOMMENDATIONS if item_column == "item_id" else SIMILAR_ITEMS
    return pa.table({name: columns[name] for name in table.column_names})


def _same(text: str, rows: int) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int32)), pa.array([text]))


def _manifest(
    settings: Settings, kind: str, at: datetime, people: int, changed: int, popular: int, similar: int
) -> lists_manifest.ListsManifest:
    return lists_manifest.ListsManifest(
        lists_id="benchmark", kind="full" if kind == "full" else "update", site=settings.site, model_version="1", run_id=None,
        interactions_version=0, interactions_id="benchmark", generated_at=at, people=people, changed=changed,
        popular_version=popular, similar_version=similar, state="models/1", digest="", model_digest="",
    )  # fmt: skip


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=303_000)
    parser.add_argument("--items", type=int, default=40_000)
    parser.add_argument("--n", type=int, default=100)
    parser.add_argument(
        "--redis", metavar="URL", help="export to this Redis, an empty one, instead of LMDB; the lists stay in it"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
