"""Great Expectations, and nothing else: suites over frames → which expectations hold. The only importer of it.

Its import takes seconds and talks; so it happens on first use, and in silence. Column
expectations of one frame share one pass over it.
"""

import logging
import math
import warnings
from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from expectations.measures.measure_context import Fact
from expectations.suites.expectation import Expectation

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame

_SAMPLES: Final = 5


class Validation(NamedTuple):
    """What was found of one expectation."""

    success: bool
    observed: str | None = None


@cache
def validator() -> "Validator":
    """This process's own: to make one takes as long as to check a small table."""
    return Validator()


class Validator:
    """An ephemeral context of Great Expectations: nothing is stored, nothing is sent."""

    def __init__(self) -> None:
        warnings.filterwarnings("ignore", module="great_expectations")
        logging.getLogger("great_expectations").setLevel(logging.ERROR)
        import great_expectations as gx
        from great_expectations.data_context.types.base import ProgressBarsConfig

        self._gx = gx
        self._context = gx.get_context(mode="ephemeral")
        self._context.enable_analytics(False)
        self._context.variables.progress_bars = ProgressBarsConfig(globally=False, metric_calculations=False)
        self._pandas = _frames(self._context.data_sources.add_pandas("pandas"))

    @property
    def _spark(self) -> Any:
        """Made for each frame that is there: it keeps a session, and without one of ours it would start one of its own."""
        return _frames(self._context.data_sources.add_or_update_spark("spark", persist=False))

    def rows(self, table: str, frame: "DataFrame", suite: Sequence[Expectation]) -> dict[str, Validation]:
        """Judge every row of a Spark frame; those that fail are looked at again, to say what was seen."""
        return self._judge_rows(self._spark, table, frame, suite)

    def few_rows(self, table: str, rows: "pa.Table", suite: Sequence[Expectation]) -> dict[str, Validation]:
        """As `rows`, of so few that Spark would plan longer than it looks; to Spark, too, NaN is above every number."""
        import pandas as pd

        return self._judge_rows(self._pandas, table, _nan_above_all(rows).to_pandas(types_mapper=pd.ArrowDtype), suite)

    def _judge_rows(self, frames: Any, table: str, frame: Any, suite: Sequence[Expectation]) -> dict[str, Validation]:
        verdicts = self._judge(frames, table, frame, suite, "BOOLEAN_ONLY")
        failed = [one for one in suite if not verdicts[one.name].success]
        return verdicts | self._judge(frames, table, frame, failed, "BASIC")

    def facts(self, table: str, facts: Mapping[str, Fact], suite: Sequence[Expectation]) -> dict[str, Validation]:
        """Judge measured numbers."""
        import pandas as pd

        frame = pd.DataFrame({name: pd.Series([fact.value], dtype="float64") for name, fact in facts.items()})
        verdicts = self._judge(self._pandas, table, frame, suite, "BOOLEAN_ONLY")
        return {name: Validation(verdict.success, facts[name].observed) for name, verdict in verdicts.items()}

    def _judge(
        self, frames: Any, table: str, frame: Any, suite: Sequence[Expectation], result_format: str
    ) -> dict[str, Validation]:
        if not suite:
            return {}
        classes = self._gx.expectations
        expectations = [getattr(classes, one.judge)(**one.arguments, meta={"name": one.name}) for one in suite]
        report = frames.get_batch(batch_parameters={"dataframe": frame}).validate(
            self._gx.ExpectationSuite(name=table, expectations=expectations), result_format=result_format
        )
        return {one.expectation_config.meta["name"]: _verdict(one) for one in report.results}


def _frames(source: Any) -> Any:
    """Any frame as a batch. One for all: the context writes all its configuration anew for each that is added or removed."""
    return source.add_dataframe_asset("frame").add_batch_definition_whole_dataframe("all")


def _nan_above_all(rows: "pa.Table") -> "pa.Table":
    """Infinity for NaN, which no comparison would let through."""
    import pyarrow as pa
    import pyarrow.compute as pc

    for at, column in enumerate(rows.columns):
        if pa.types.is_floating(column.type):
            high = pc.if_else(pc.is_nan(column), pa.scalar(math.inf, column.type), column)
            rows = rows.set_column(at, rows.field(at), high)
    return rows


def _verdict(result: Any) -> Validation:
    """What was seen of an expectation that fails; one that could not be judged fails, too."""
    if result.success:
        return Validation(True)
    raised = [
        info for info in result.exception_info.values() if isinstance(info, dict) and info.get("raised_exception")
    ]
    if raised:
        return Validation(False, f"could not be judged: {raised[0]['exception_message']}")
    count = result.result.get("unexpected_count")
    samples = ", ".join(map(str, result.result.get("partial_unexpected_list", [])[:_SAMPLES]))
    if count is None:
        return Validation(False)
    return Validation(
        False, f"{count:,} of {result.result['element_count']:,} rows" + (f", such as {samples}" if samples else "")
    )
