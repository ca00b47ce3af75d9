"""A batch's rows that are read more than once: held by the plan itself where they are few, else in Spark's cache."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, cast

from pyspark.sql import DataFrame, Row, SparkSession

_FEW_BYTES: Final = 1 << 20
"""Of files: some ten thousand events."""
_ROWS: Final = "_held_rows"
"""The attribute of a frame in which they are remembered."""
_BROADCAST: Final = "spark.sql.autoBroadcastJoinThreshold"


def expect(spark: SparkSession, few: bool) -> None:
    """How this session joins from here on: what is `few` lies in one partition already, and to broadcast it is a job of its own."""
    usual = spark.sparkContext.getConf().get(_BROADCAST, "10MB")
    spark.conf.set(_BROADCAST, "-1" if few else usual)


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
    if _data(rows) is not None:
        return rows
    execution = cast(Any, rows)._jdf.queryExecution()
    return relation(rows.sparkSession, execution.analyzed().output(), _collected(rows))


def rows_of(rows: DataFrame) -> Any:
    """Spark's own form of few rows: of what is held already, as it is."""
    if (data := _data(rows)) is not None:
        return data
    return _wrapped(rows.sparkSession, _collected(rows))


def _collected(rows: DataFrame) -> Any:
    plan = cast(Any, rows)._jdf.queryExecution().executedPlan()
    leaves = plan.collectLeaves()
    # Files may be of any size: several tasks read them.
    if all(_is_held(leaves.apply(place)) for place in range(leaves.size())):
        plan = without_exchanges(rows.sparkSession, plan)
    return plan.executeCollect()


def _is_held(leaf: Any) -> bool:
    return bool(leaf.getClass().getSimpleName() == "RDDScanExec" and leaf.outputPartitioning().numPartitions() == 1)


def collect(rows: DataFrame) -> list[Row]:
    """`rows.collect()`; what is held is no job."""
    if (data := _data(rows)) is None:
        return rows.collect()
    spark, output = rows.sparkSession, cast(Any, rows)._jdf.queryExecution().analyzed().output()
    return frame(spark, _local_relation(spark, output, data)).collect()


def count(rows: DataFrame) -> int:
    """`rows.count()`; what is held is no job."""
    return rows.count() if (data := _data(rows)) is None else int(data.size())


def _data(rows: DataFrame) -> Any:
    """Of a frame that `relation` made its rows; None of another."""
    return vars(rows).get(_ROWS)


def relation(spark: SparkSession, output: Any, rows: Any) -> DataFrame:
    """Rows in Spark's own form, and the columns that they have, as a frame of one partition: joined with its like no row is moved."""
    return _in_one_partition(spark, output, _wrapped(spark, rows))


def local(rows: DataFrame) -> DataFrame:
    """Rows that this process gave Spark, as `relation`."""
    plan = cast(Any, rows)._jdf.queryExecution().analyzed()
    return _in_one_partition(rows.sparkSession, plan.output(), plan.data())


def _in_one_partition(spark: SparkSession, output: Any, rows: Any) -> DataFrame:
    size = _local_relation(spark, output, rows).stats()
    held = frame(spark, leaf(spark, output, one_slice(spark, rows), size))
    setattr(held, _ROWS, rows)
    return held


def _local_relation(spark: SparkSession, output: Any, rows: Any) -> Any:
    java = cast(Any, spark)._jvm
    relation_of = java.org.apache.spark.sql.catalyst.plans.logical.LocalRelation
    return relation_of(output, rows, False, java.scala.Option.empty())


def one_slice(spark: SparkSession, rows: Any) -> Any:
    """Rows in Spark's own form as an RDD of one partition."""
    of_any = getattr(getattr(cast(Any, spark)._jvm.scala.reflect, "ClassTag$"), "MODULE$").Any()
    return cast(Any, spark.sparkContext)._jsc.sc().parallelize(rows, 1, of_any)


def leaf(spark: SparkSession, output: Any, rdd: Any, statistics: Any) -> Any:
    """An RDD of one partition as a logical plan, which needs no exchange for what it is counted by, or joined with."""
    java = cast(Any, spark)._jvm
    one_partition = getattr(getattr(java.org.apache.spark.sql.catalyst.plans.physical, "SinglePartition$"), "MODULE$")
    return java.org.apache.spark.sql.execution.LogicalRDD(
        output,
        rdd,
        one_partition,
        sequence(spark, []),
        False,
        java.scala.Option.empty(),
        cast(Any, spark)._jsparkSession,
        java.scala.Option.apply(statistics),
        java.scala.Option.empty(),
    )


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


def without_exchanges(spark: SparkSession, plan: Any) -> Any:
    """A physical plan as one task: what moves rows between tasks, which is a stage of its own, leaves them in one partition."""
    children = plan.children()
    below = [without_exchanges(spark, children.apply(place)) for place in range(children.size())]
    if plan.getClass().getSimpleName() == "ShuffleExchangeExec":
        return cast(Any, spark)._jvm.org.apache.spark.sql.execution.CoalesceExec(1, below[0])
    return plan.withNewChildren(sequence(spark, below)) if below else plan


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
