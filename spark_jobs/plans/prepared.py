"""Transforms of few rows whose plan is made once, and asked again with the rows of each batch.

To analyze, optimize and plan costs a batch of some thousand rows more than the rows do. What a transform gives follows from
its input rows alone, so its plan is the same for every batch: it is made for leaves that have no rows, in one partition
without an exchange, and the rows of each batch take their place. Joins, sorts and windows of it are one task of one job.
"""

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, Final, NamedTuple, TypeVar, cast

import msgspec
from pyspark import SparkContext
from pyspark.sql import DataFrame, SparkSession

from spark_jobs.plans import held
from spark_jobs.session import configured

T = TypeVar("T")

_FOR_ANY_ROWS: Final = {
    "spark.sql.adaptive.enabled": "false",  # it would plan anew by what was read
    "spark.sql.exchange.reuse": "false",  # what is reused is no child of a plan, where rows could take a place
    "spark.sql.autoBroadcastJoinThreshold": "-1",  # a job of its own, where both sides are one partition already
    "spark.sql.shuffle.partitions": "1",
}
_CONSTANT: Final = frozenset({"LocalTableScanExec", "OneRowRelationExec", "RangeExec"})
"""Leaves that are the same for every batch."""


class _Step(NamedTuple):
    """A step of a physical plan, and those that it reads."""

    java: Any
    reads: tuple["_Step", ...]
    rows: int | None
    """The input whose rows it stands for."""
    changes: bool
    """Whether rows of an input come through it."""


class _Plan(NamedTuple):
    made_for: Sequence[str]
    """The columns of each input."""
    output: Any
    top: _Step


class Prepared:
    """A transform that follows from its inputs alone: no table, no clock, nothing of a batch is in it."""

    def __init__(self, transform: Callable[..., DataFrame], wide: bool = False) -> None:
        """`wide`: of so many columns that one method of all its steps, which Spark writes in each batch, is longer than HotSpot compiles
        and left again; so each step has its own."""
        self._transform = transform
        self._options = _FOR_ANY_ROWS | {"spark.sql.codegen.wholeStage": "false"} if wide else _FOR_ANY_ROWS
        self._plan: _Plan | None = None

    def __call__(self, *inputs: DataFrame, few: bool) -> DataFrame:
        """The transform of `inputs`; where they are `few` rows it is made now, and part of every plan that reads it."""
        if not few:
            return self._transform(*inputs)
        spark = inputs[0].sparkSession
        rows = [held.rows_of(each) for each in inputs]
        made_for = [cast(Any, each)._jdf.schema().json() for each in inputs]
        if self._plan is None or self._plan.made_for != made_for:
            self._plan = self._planned(inputs, made_for)
        return held.relation(spark, self._plan.output, _filled(spark, self._plan.top, rows).executeCollect())

    def _planned(self, inputs: Sequence[DataFrame], made_for: Sequence[str]) -> _Plan:
        spark = inputs[0].sparkSession
        nothing = [cast(Any, spark.sparkContext)._jsc.emptyRDD().rdd() for _ in inputs]
        frames = [_without_rows(like, rdd) for like, rdd in zip(inputs, nothing, strict=True)]
        with configured(spark, self._options):
            execution = cast(Any, self._transform(*frames))._jdf.queryExecution()
            physical = held.without_exchanges(spark, execution.executedPlan())
        if not physical.subqueriesAll().isEmpty():
            raise ValueError(f"A plan that is made once cannot have subqueries, whose answer stays:\n{physical}")
        return _Plan(made_for, execution.analyzed().output(), _steps(physical, [rdd.id() for rdd in nothing]))


def once(make: Callable[..., T]) -> Callable[..., T]:
    """`make`, called once in a session of Spark for settings that say the same."""
    answers: dict[tuple[str, bytes], T] = {}

    @wraps(make)
    def ask(*settings: Any) -> T:
        key = SparkContext.getOrCreate().applicationId, msgspec.json.encode(settings, order="sorted")
        if key not in answers:
            answers[key] = make(*settings)
        return answers[key]

    return ask


def _without_rows(like: DataFrame, rdd: Any) -> DataFrame:
    """The columns of `like`, in one partition; Spark takes it for small, and does not know how many rows it has."""
    spark, output = like.sparkSession, cast(Any, like)._jdf.queryExecution().analyzed().output()
    size = cast(Any, spark)._jvm.org.apache.spark.sql.catalyst.plans.logical.OneRowRelation().stats()
    leaf = held.leaf(spark, output, rdd, size)
    return held.frame(spark, leaf.newInstance())  # columns of its own, where two inputs have the same


def _steps(plan: Any, inputs: Sequence[int]) -> _Step:
    """A physical plan; `inputs` are the ids of the RDDs that rows take the place of."""
    children = plan.children()
    if count := children.size():
        reads = tuple(_steps(children.apply(place), inputs) for place in range(count))
        return _Step(plan, reads, None, any(each.changes for each in reads))
    kind = plan.getClass().getSimpleName()
    if kind == "RDDScanExec" and plan.rdd().id() in inputs:
        return _Step(plan, (), inputs.index(plan.rdd().id()), True)
    if kind not in _CONSTANT:
        raise ValueError(
            f"A plan that is made once cannot read {kind}, which may be another in the next batch:\n{plan}"
        )
    return _Step(plan, (), None, False)


def _filled(spark: SparkSession, step: _Step, rows: Sequence[Any]) -> Any:
    """A step that was not run yet, with these rows."""
    java = cast(Any, spark)._jvm
    if step.rows is not None:
        # A scan that says it is one partition, as the plan was told: of a union's parts, too, it is made one by that.
        return java.org.apache.spark.sql.execution.RDDScanExec(
            step.java.output(),
            held.one_slice(spark, rows[step.rows]),
            step.java.name(),
            step.java.outputPartitioning(),
            step.java.outputOrdering(),
            step.java.stream(),
        )
    if not step.changes:
        return step.java
    return step.java.withNewChildren(held.sequence(spark, [_filled(spark, each, rows) for each in step.reads]))
