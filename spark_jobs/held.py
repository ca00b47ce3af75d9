"""A batch's rows that are read more than once: held by the plan itself where they are few, else in Spark's cache."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, cast

from pyspark.sql import DataFrame

_FEW_BYTES: Final = 1 << 20
"""Of files: some ten thousand events."""


def are_few(batch: DataFrame) -> bool:
    """Whether what a batch brings, or a narrow reading of it, is held sooner than it is cached."""
    return source_bytes(batch) <= _FEW_BYTES


def source_bytes(batch: DataFrame) -> int:
    """Bytes of the files that a batch is read from; very many where Spark does not know."""
    return int(str(cast(Any, batch)._jdf.queryExecution().analyzed().stats().sizeInBytes()))


def here(rows: DataFrame) -> DataFrame:
    """`rows`, few, made now and part of every plan that reads them.

    Such a plan is short: nothing of what made the rows is planned again. A cache costs a small batch as much as all of its work.
    """
    execution = cast(Any, rows)._jdf.queryExecution()
    java = cast(Any, rows.sparkSession)._jvm
    rows_there = java.scala.collection.immutable.ArraySeq.unsafeWrapArray(execution.executedPlan().executeCollect())
    no_stream = java.scala.Option.empty()
    relation = java.org.apache.spark.sql.catalyst.plans.logical.LocalRelation
    return _frame(rows, relation(execution.analyzed().output(), rows_there, False, no_stream))


@contextmanager
def cached(rows: DataFrame) -> Iterator[DataFrame]:
    """`rows`, cached: made when first read, and given up at the end.

    What reads them is planned as from a table. With `persist` alone each reader's plan would carry, and analyze once
    more, all that made them: a third of build_events' processor time for a small batch. Their order is not known to readers.
    """
    kept = rows.persist()
    sql, plan = (
        cast(Any, rows.sparkSession)._jvm.org.apache.spark.sql,
        cast(Any, kept)._jdf.queryExecution().withCachedData(),
    )
    leaf = sql.execution.columnar.InMemoryRelation(plan.output(), plan.cacheBuilder(), plan.output().empty())
    getattr(leaf, "statsOfPlanToCache_$eq")(plan.statsOfPlanToCache())
    try:
        yield _frame(rows, leaf)
    finally:
        kept.unpersist()


def _frame(rows: DataFrame, leaf: Any) -> DataFrame:
    spark = rows.sparkSession
    dataset = cast(Any, spark)._jvm.org.apache.spark.sql.classic.Dataset
    return DataFrame(dataset.ofRows(cast(Any, spark)._jsparkSession, leaf), spark)
