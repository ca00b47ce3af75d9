"""A batch's rows that are read more than once: held by the plan itself where they are few, else in Spark's cache."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, cast

from pyspark.sql import DataFrame, SparkSession

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
    if _is_held(execution):
        return rows
    return relation(rows.sparkSession, execution.analyzed().output(), execution.executedPlan().executeCollect())


def rows_of(rows: DataFrame) -> Any:
    """Spark's own form of few rows: of what is held already, as it is."""
    execution = cast(Any, rows)._jdf.queryExecution()
    if _is_held(execution):
        return execution.analyzed().data()
    return _wrapped(rows.sparkSession, execution.executedPlan().executeCollect())


def _is_held(execution: Any) -> bool:
    return bool(execution.analyzed().getClass().getSimpleName() == "LocalRelation")


def relation(spark: SparkSession, output: Any, rows: Any) -> DataFrame:
    """Rows in Spark's own form, and the columns that they have, as a frame."""
    java = cast(Any, spark)._jvm
    leaf = java.org.apache.spark.sql.catalyst.plans.logical.LocalRelation
    return frame(spark, leaf(output, _wrapped(spark, rows), False, java.scala.Option.empty()))


@contextmanager
def without_rows(like: DataFrame) -> Iterator[DataFrame]:
    """The columns of `like`, also of a stream, and no row; in a session of its own, so that no other query has the options of its plans."""
    spark = like.sparkSession.newSession()
    java, sessions = cast(Any, spark)._jvm, cast(Any, spark)._jvm.org.apache.spark.sql.classic.SparkSession
    nothing = cast(Any, spark.sparkContext)._gateway.new_array(java.org.apache.spark.sql.catalyst.InternalRow, 0)
    # Of this thread: a plan is run by the session that it was made in.
    sessions.setActiveSession(cast(Any, spark)._jsparkSession)
    try:
        yield relation(spark, cast(Any, like)._jdf.queryExecution().analyzed().output(), nothing)
    finally:
        sessions.clearActiveSession()


def sequence(spark: SparkSession, values: list[Any]) -> Any:
    """A list of the JVM's objects as Scala's."""
    return cast(Any, spark)._jvm.org.apache.spark.api.python.PythonUtils.toSeq(values)


def _wrapped(spark: SparkSession, rows: Any) -> Any:
    return cast(Any, spark)._jvm.scala.collection.immutable.ArraySeq.unsafeWrapArray(rows)


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
        yield frame(rows.sparkSession, leaf)
    finally:
        kept.unpersist()


def frame(spark: SparkSession, plan: Any) -> DataFrame:
    """A logical plan as a frame."""
    dataset = cast(Any, spark)._jvm.org.apache.spark.sql.classic.Dataset
    return DataFrame(dataset.ofRows(cast(Any, spark)._jsparkSession, plan), spark)
