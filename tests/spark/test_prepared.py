"""A plan that was made once gives what the transform gives, whatever rows a batch has."""

from collections.abc import Sequence
from functools import reduce
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from spark_jobs.plans import held
from spark_jobs.plans.prepared import Prepared, once
from spark_jobs.transforms import Transformer

pytestmark = pytest.mark.spark

_COLUMNS = "site string, visitor string NOT NULL, amount bigint, tags map<string,string>"
_BATCHES: Sequence[Sequence[tuple[str | None, str, int | None, dict[str, str]]]] = [
    [("a", "v1", 1, {"k": "x"}), ("a", "v1", 2, {}), ("b", "v2", None, {})],
    [],
    [("a", "v1", 5, {})],
    [(None, f"v{number % 7}", number, {"k": str(number)}) for number in range(500)],
]


def frame(spark: SparkSession, rows: Sequence[tuple[object, ...]]) -> DataFrame:
    return spark.createDataFrame(rows, _COLUMNS)


def content(rows: DataFrame) -> tuple[str, list[str]]:
    return rows.schema.json(), sorted(map(str, rows.collect()))


def totals(rows: DataFrame) -> DataFrame:
    """One row also of none."""
    return rows.agg(F.count("*").alias("rows"), F.sum("amount").alias("amount"))


def runs(rows: DataFrame) -> DataFrame:
    order = Window.partitionBy("visitor").orderBy("amount")
    return rows.withColumn("place", F.row_number().over(order)).groupBy("visitor").agg(F.max("place"), F.sum("amount"))


def both(fresh: DataFrame, present: DataFrame) -> DataFrame:
    """A union, a join and a set: what moves rows between tasks elsewhere."""
    known = present.select("visitor", F.col("amount").alias("before"))
    union = fresh.unionByName(present).dropDuplicates(["visitor", "amount"])
    return union.join(known, "visitor", "left").groupBy("visitor").agg(F.sum("before"), F.count("amount"))


def joined(rows: DataFrame) -> DataFrame:
    """Inner joins of joins, where Spark moves rows though all of them lie together."""
    parts = [rows.groupBy("visitor").agg(F.sum("amount").alias(name)) for name in ("a", "b", "c")]
    return reduce(lambda left, right: left.join(right, "visitor"), parts).groupBy("a").count()


@pytest.mark.parametrize("transform", [totals, runs, joined])
def test_each_batch_has_its_own_rows(spark: SparkSession, transform: Transformer) -> None:
    step = Prepared(transform)
    for rows in _BATCHES:
        batch = frame(spark, rows)
        assert content(step(batch, few=True)) == content(step(batch, few=False))


def test_of_two_inputs_each_may_be_empty_or_the_same(spark: SparkSession) -> None:
    step = Prepared(both)
    for fresh, present in [(0, 3), (1, 2), (2, 1)]:
        frames = frame(spark, _BATCHES[fresh]), held.here(frame(spark, _BATCHES[present]))
        assert content(step(*frames, few=True)) == content(both(*frames))
    same = held.here(frame(spark, _BATCHES[3]))
    assert content(step(same, same, few=True)) == content(both(same, frame(spark, _BATCHES[3])))


def test_other_columns_are_planned_anew_and_steps_read_each_other(spark: SparkSession) -> None:
    step = Prepared(lambda rows: rows.where("amount > 1"))
    narrow = Prepared(lambda rows: rows.select("visitor"))
    for rows in (frame(spark, _BATCHES[0]), frame(spark, _BATCHES[0]).withColumn("more", F.lit(1))):
        chosen = step(rows, few=True)
        assert content(chosen) == content(rows.where("amount > 1"))
        assert [row.visitor for row in narrow(chosen, few=True).collect()] == ["v1"]


def test_what_may_be_another_in_the_next_batch_has_no_place_in_a_plan_that_is_made_once(
    spark: SparkSession, tmp_path: Path
) -> None:
    spark.range(3).write.parquet(f"{tmp_path}/numbers")
    numbers = spark.read.parquet(f"{tmp_path}/numbers")
    batch = frame(spark, _BATCHES[0])
    with pytest.raises(ValueError, match="cannot read FileSourceScanExec"):
        Prepared(lambda rows: rows.crossJoin(numbers))(batch, few=True)
    with pytest.raises(ValueError, match="cannot have subqueries"):
        Prepared(lambda rows: rows.where(F.col("amount") == rows.agg(F.max("amount")).scalar()))(batch, few=True)


def test_steps_are_made_once_for_settings_that_say_the_same(spark: SparkSession) -> None:
    calls: list[tuple[object, ...]] = []
    steps = once(lambda *settings: calls.append(settings))
    for words in ({"b", "a"}, {"a", "b"}, {"a"}):
        steps("site", words)
    assert calls == [("site", {"a", "b"}), ("site", {"a"})]
