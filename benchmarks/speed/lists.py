"""Lists of everybody by Spark's executors, against the same lists by this process, side by side in one run on the same cores.

    make bench ARGS="lists [--people 50000] [--items 10000] [--n 100] [--factors 64]"

Makes vectors of people and items whose lengths differ as those of a fit do, in a folder that is removed at the end. Both write
gold.recommendations; the rows are compared. The session is there before, and a first round of a few people; modules, vectors and
files are counted.
"""

import argparse
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from scipy.sparse import csr_matrix

from benchmarks.measure import cpu_seconds, ratio
from ml.data.interactions import IdMap, TableVersion
from ml.lists import on_executors
from ml.lists.rows import ListStamp, personal_rows
from ml.models.registry import plain_als
from ml.models.user_item.als import AlsModel
from ml.models.user_item.popular import Popular, PopularModel
from ml.registry.artifact import Artifact, Card
from nextclick.contracts.gold_lists import RECOMMENDATIONS
from nextclick.lake import delta, table_files
from nextclick.settings import Settings, load
from spark_jobs.session import open_session

_USED, _FEW = 20, 1_000
"""Items that a person used; people of a first round."""


def main() -> None:
    options = _options()
    folder = Path(tempfile.mkdtemp(prefix="nextclick-lists-"))
    try:
        environ = {"NEXTCLICK_LISTS__TOP_N": str(options.n), "NEXTCLICK_ALS__FACTORS": str(options.factors)}
        compare(load(folder, environ=environ | {"NEXTCLICK_SPARK__LISTS_FROM": "1"}), options.people, options.items)
    finally:
        shutil.rmtree(folder)


def compare(settings: Settings, people: int, items: int) -> None:
    """Print the figures."""
    artifact, few = made_up(settings, people, items), made_up(settings, _FEW, items)
    stamp = ListStamp(settings.site, "1", datetime.now(UTC))
    settings.lake.prepare()
    session = open_session(settings)

    def local() -> None:
        everybody = np.arange(people, dtype=np.int32)
        rows = personal_rows(artifact, everybody, settings.lists, stamp)
        table_files.replace(settings.lake, RECOMMENDATIONS, rows)

    def apart(whose: Artifact, name: str) -> None:
        on_executors.replace(settings, whose, stamp, str(settings.lake.root / name))

    here = _taken(local)
    print(f"this process:  {here}  {people / here.wall:8,.0f} people a second", flush=True)
    rows = _rows(settings)
    start = _taken(lambda: apart(few, "few"))
    print(f"their start:   {start}  {_FEW:,} people: Spark compiles, and Python's workers import", flush=True)
    there = _taken(lambda: apart(artifact, "people"))
    cores = session.sparkContext.defaultParallelism
    print(f"executors:     {there}  {people / there.wall:8,.0f} people a second, {cores} cores")
    print(f"same rows:     {'yes' if _rows(settings).equals(rows) else 'NO'}, {len(rows):,}")
    print(ratio("people a second, executors", 1 / there.wall, "this process", 1 / here.wall, 0.8, at_least=True))
    print(ratio("by processor time", 1 / there.processor, "this process", 1 / here.processor, 0.8, at_least=True))
    session.stop()


def made_up(settings: Settings, people: int, items: int, seed: int = 7) -> Artifact:
    """A factorization of nobody: a few items are long vectors, most are short ones."""
    random, recipe = np.random.default_rng(seed), plain_als(settings)
    lengths = (1 / np.arange(1, items + 1) ** 0.7).astype(np.float32)
    vectors = random.normal(size=(items, recipe.factors)).astype(np.float32) * lengths[:, None]
    persons = np.abs(random.normal(size=(people, recipe.factors))).astype(np.float32)
    used = np.sort(random.integers(0, items, (people, _USED), dtype=np.int32), axis=1)
    seen = csr_matrix((np.ones(used.size, np.float32), used.ravel(), np.arange(people + 1) * _USED), (people, items))
    seen.sum_duplicates()
    card = Card(
        recipe=recipe,
        popular=Popular(),
        site=settings.site,
        source=TableVersion("", 0, ""),
        as_of=0,
        people=people,
        items=items,
    )
    model = AlsModel(recipe, persons, vectors, np.ones(items, np.float32))
    person_ids, item_ids = (
        IdMap(pa.array([f"{kind}{number:07d}" for number in range(count)]))
        for kind, count in (("p", people), ("i", items))
    )
    return Artifact(card, model, PopularModel(Popular(), lengths), person_ids, item_ids, seen)


def _rows(settings: Settings) -> pa.Table:
    table = delta.require(settings.lake, RECOMMENDATIONS.name).to_pyarrow_table()
    return table.sort_by([("person_id", "ascending"), ("rank", "ascending")]).combine_chunks()


class Taken(NamedTuple):
    """Seconds of the clock, and of the processors by this process and its children, Spark among them."""

    wall: float
    processor: float

    def __str__(self) -> str:
        return f"{self.wall:6.2f} s (processor {self.processor:6.2f} s)"


def _taken(what: Callable[[], object]) -> Taken:
    wall, processor = time.perf_counter(), cpu_seconds(os.getpid())
    what()
    return Taken(time.perf_counter() - wall, cpu_seconds(os.getpid()) - processor)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench ARGS=lists", description=(__doc__ or "").splitlines()[0])
    for name, default in (("people", 50_000), ("items", 10_000), ("n", 100), ("factors", 64)):
        parser.add_argument(f"--{name}", type=int, default=default)
    return parser.parse_args()


if __name__ == "__main__":
    main()
