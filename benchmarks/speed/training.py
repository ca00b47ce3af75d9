"""Nightly training and export, against implicit's own fit and recommend on the same matrix in the same run.

    .venv/bin/python -m benchmarks.speed.training --clicks ../shared/data/globo-clicks [--rounds 2]
    .venv/bin/python -m benchmarks.speed.training --lake DIR        a lake that has gold.interactions

Prints: read + id maps + fit + npz as a ratio to implicit's fit alone (64 factors, 15
iterations, everything warm), top-100 lists of everybody into Delta and on into LMDB as
a ratio to implicit.recommend's own rate; and apart from these, in seconds: imports,
evaluation, MLflow's store, log and register, similar items, an update of 1 % of the people.
"""

import argparse
import importlib
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import duckdb
import msgspec
import numpy as np
import pyarrow as pa
from deltalake import write_deltalake

from benchmarks.measure import measured, ratio
from nextclick.contracts import arrow
from nextclick.contracts.gold import INTERACTIONS
from nextclick.contracts.gold_lists import RECOMMENDATIONS, SIMILAR_ITEMS
from nextclick.settings import Settings, load

T = TypeVar("T")

PAIRS = """
select 'default' as site, user_id::varchar as person_id, click_article_id::varchar as item_id,
    sum(pow(2, -(last - click_timestamp) / (14 * 86400000.0))) as strength, count(*) as events, 0::bigint as views,
    count(*) as clicks, 0::bigint as carts, 0::bigint as purchases, 0::bigint as plays,
    make_timestamptz(min(click_timestamp) * 1000) as first_at, make_timestamptz(max(click_timestamp) * 1000) as last_at
from (
    select *, max(click_timestamp) over (partition by user_id, click_article_id) as last
    from read_csv($files, union_by_name = true)
) group by user_id, click_article_id
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--clicks", help="folder of the Globo clicks")
    source.add_argument("--lake", help="a lake with gold.interactions; only this table of it is read")
    parser.add_argument("--rounds", type=int, default=1, help="repeat the ratios, alternating")
    options = parser.parse_args()
    with temporary_lake() as settings:
        copy_pairs(settings, options)
        print_imports()
        compare(settings, options.rounds)


@contextmanager
def temporary_lake() -> Iterator[Settings]:
    folder = Path(tempfile.mkdtemp(prefix="nextclick-training-"))
    try:
        yield load(lake=folder)
    finally:
        shutil.rmtree(folder)


def copy_pairs(settings: Settings, options: argparse.Namespace) -> None:
    """gold.interactions of the temporary lake: from another lake, or computed from the clicks without Spark."""
    target = settings.lake.table(INTERACTIONS.name)
    if options.lake:
        shutil.copytree(load(lake=options.lake).lake.table(INTERACTIONS.name), target)
        return
    with duckdb.connect() as connection:
        relation: Any = connection.sql(PAIRS, params={"files": f"{options.clicks}/*.csv.gz"})
        pairs = relation.to_arrow_table()
    write_deltalake(
        target,
        pairs.select(list(INTERACTIONS.column_names)).cast(arrow.schema(INTERACTIONS)),
        configuration={"delta.enableChangeDataFeed": "true"},
    )


def print_imports() -> None:
    for name in ("ml.jobs.train", "mlflow.pyfunc"):
        print(f"import {name}: {timed(partial(importlib.import_module, name))[1]:.1f} s")


def timed(work: Callable[[], T]) -> tuple[T, float]:
    start = time.perf_counter()
    result = work()
    return result, time.perf_counter() - start


def compare(settings: Settings, rounds: int) -> None:
    """Print the figures."""
    from ml.data import interactions
    from ml.models import registry

    recipe = registry.plain_als(settings)
    pairs, _ = interactions.read(settings)
    print(f"{len(pairs):,} pairs of {len(pairs.people):,} people and {len(pairs.items):,} items")
    msgspec.structs.replace(recipe, iterations=1).fit(pairs)  # warm
    for _ in range(rounds):
        baseline = recipe.implicit()
        _, fit_alone = timed(lambda: baseline.fit(recipe.confidence(pairs), show_progress=False))  # noqa: B023
        artifact, ours = timed(lambda: learned(settings))
        print(f"implicit's fit alone {fit_alone:.1f} s, read + id maps + fit + npz {ours:.1f} s")
        print(ratio("training", ours, "implicit's fit alone", fit_alone, 1.25))
        compare_export(settings, artifact)
    print_apart(settings)


def learned(settings: Settings) -> Any:
    """What training does between the table and the file, without its evaluation and MLflow."""
    from ml.data import interactions
    from ml.jobs import train
    from ml.models import registry

    night = train.TrainingRun(settings, *interactions.read(settings))
    recipe = registry.plain_als(settings)
    artifact = train.fit(night, recipe, registry.default_popular(settings)["popular_fading"])
    artifact.save(f"{settings.lake.shared}/model/benchmark")
    return artifact


def compare_export(settings: Settings, artifact: Any) -> None:
    from threadpoolctl import threadpool_limits

    from ml.lists.rows import ListStamp, personal_rows, similar_rows
    from nextclick.lake import table_files

    model, people = artifact.model, np.arange(len(artifact.people), dtype=np.int32)
    implicit, n = model.recipe.implicit(0, model.person_factors, model.item_factors), settings.lists.top_n
    with threadpool_limits(1, "blas"):
        _, alone = timed(lambda: implicit.recommend(people, artifact.seen, N=n))
    stamp = ListStamp(settings.site, "1", datetime.now(UTC))
    rows = personal_rows(artifact, people, settings.lists, stamp)
    _, ours = timed(lambda: table_files.replace(settings.lake, RECOMMENDATIONS, rows))
    print(f"implicit.recommend {len(people) / alone:,.0f} lists/s; into Delta {len(people) / ours:,.0f} lists/s")
    print(ratio("export to Delta", len(people) / ours, "implicit.recommend", len(people) / alone, 0.6, at_least=True))
    items = np.arange(len(artifact.items), dtype=np.int32)
    similar = similar_rows(model, artifact.items, items, settings.lists.similar_n, stamp)
    print(f"similar items {timed(lambda: table_files.replace(settings.lake, SIMILAR_ITEMS, similar))[1]:.1f} s")


def print_apart(settings: Settings) -> None:
    """The whole way as the pipeline goes it, and an update."""
    from ml.data import interactions
    from ml.jobs import publish_lists, train, update
    from ml.registry import tracking
    from serving.export import export as to_table

    print(f"MLflow's store made in {timed(lambda: tracking.champion(settings.lake))[1]:.1f} s")
    with measured() as trained:
        report = train.run(settings)
    costs = {name: value for name, value in report.details.items() if name.startswith("seconds")}
    print(
        f"train {trained.seconds:.1f} s, {trained.peak_mb:.0f} MB at peak; {report.details['reason'] or 'passed the gate'}"
    )
    print("  " + ", ".join(f"{name} {value:.1f}" for name, value in costs.items() if isinstance(value, float)))
    lists, lists_seconds = timed(lambda: publish_lists.run(settings))
    _, table_seconds = timed(lambda: to_table.run(settings))
    print(
        f"lists of {lists.written:,} people into Delta {lists_seconds:.1f} s, into the key-value table {table_seconds:.1f} s"
    )
    pairs, _ = interactions.read(settings)
    few = pairs.people.take(np.arange(0, len(pairs.people), 100))
    touch(settings, few.to_pylist())
    done, seconds = timed(lambda: update.run(settings))
    print(f"update of {done.written:,} people {seconds:.1f} s")


def touch(settings: Settings, people: list[str]) -> None:
    """One new pair for each of these people."""
    now = datetime.now(UTC)
    rows = [(settings.site, person, "new", 1.0, 1, 1, 0, 0, 0, 0, now, now) for person in people]
    named = [dict(zip(INTERACTIONS.column_names, row, strict=True)) for row in rows]
    table = pa.Table.from_pylist(named, schema=arrow.schema(INTERACTIONS))
    write_deltalake(settings.lake.table(INTERACTIONS.name), table, mode="append")


if __name__ == "__main__":
    main()
