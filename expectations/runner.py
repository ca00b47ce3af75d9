"""Checking: what is due is looked at, judged, and written down in gold.data_quality."""

import uuid
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from threading import Lock
from typing import TYPE_CHECKING, Final, NamedTuple

from expectations.due import CheckTask, due
from expectations.ge_validator import Validation, Validator, validator
from expectations.measures.facts import measure
from expectations.measures.measure_context import RunCache
from expectations.results import Result, append
from expectations.suites.expectation import Expectation, Of
from nextclick.contracts.gold import DATA_QUALITY
from nextclick.lake import locks
from nextclick.lake.duck import paths
from nextclick.lake.paths import literal
from nextclick.settings import Settings

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame, SparkSession

Session = Callable[[], "SparkSession"]
"""Opens Spark; called only where many rows are to be looked at."""

_FEW: Final = 50_000
"""Rows that this process looks at sooner than Spark plans to."""

_one_at_a_time: Final = Lock()
"""In this process: a lock of tables is open to all of its threads, and Great Expectations is not made for two."""

Progress = Callable[[str, int, int], None]
"""Called before each table: its name, tables done, tables in all."""


def quiet(table: str, done: int, total: int) -> None:
    """Shows nothing: for calls without a console."""


class RunStamp(NamedTuple):
    """What all results of one run share."""

    run_id: str
    started: datetime
    """Before anything was read, so that what came meanwhile counts as later."""


def run(
    session: Session,
    settings: Settings,
    tables: Iterable[str] | None = None,
    all_rows: bool = False,
    progress: Progress = quiet,
) -> list[Result]:
    """Check what changed in `tables` (default: all) since it was last checked; with `all_rows` everything.

    Returns what was found, in flow order, after it was written; nothing where nothing was
    due. A failure is a result: `expectations.stops.refuse` is what raises.
    """
    with _one_at_a_time, locks.hold(settings.lake.locks, DATA_QUALITY.name, purpose="check"):
        started, parts = datetime.now(UTC), due(settings, tables, all_rows)
        if not parts:
            return []
        judge, lakewide, stamp = validator(), RunCache(settings), RunStamp(uuid.uuid4().hex, started)
        results: list[Result] = []
        for done, part in enumerate(parts):
            progress(part.table.name, done, len(parts))
            results += _check(session, part, judge, lakewide, stamp)
        append(settings.lake, results)
    return results


def _check(session: Session, part: CheckTask, judge: Validator, lakewide: RunCache, stamp: RunStamp) -> list[Result]:
    verdicts = _of_rows(session, part, judge, lakewide.settings) | _of_facts(part, judge, lakewide)
    return [
        Result(
            table_name=part.table.name,
            table_id=part.table_id,
            table_version=part.version,
            expectation=one.name,
            meaning=one.meaning,
            severity=one.severity.value,
            success=verdicts[one.name].success,
            scope="all" if part.whole or one.of is Of.TABLE else "changed",
            observed=verdicts[one.name].observed,
            checked_at=stamp.started,
            run_id=stamp.run_id,
        )
        for one in part.suite
    ]


def _of_facts(part: CheckTask, judge: Validator, lakewide: RunCache) -> dict[str, Validation]:
    suite = [one for one in part.suite if one.of is not Of.ROWS]
    return judge.facts(part.table.name, measure(part, lakewide), suite)


def _of_rows(session: Session, part: CheckTask, judge: Validator, settings: Settings) -> dict[str, Validation]:
    suite = [one for one in part.suite if one.of is Of.ROWS]
    if not suite:
        return {}
    if not part.files:  # of no rows everything holds
        return {one.name: Validation(True) for one in suite}
    if part.rows <= _FEW:
        import pyarrow as pa

        try:
            return judge.few_rows(part.table.name, _held(part, suite), suite)
        except (OSError, pa.ArrowException) as error:
            return dict.fromkeys((one.name for one in suite), Validation(False, f"could not be judged: {error}"))
    return judge.rows(part.table.name, _frame(session(), part, settings), suite)


def _held(part: CheckTask, suite: Iterable[Expectation]) -> "pa.Table":
    """What the suite looks at of the part's files, in this process."""
    from pyarrow.dataset import FileSystemDataset

    whole = part.delta.to_pyarrow_dataset()
    fragments = {fragment.path: fragment for fragment in whole.get_fragments()}
    wanted = {column for one in suite for column in one.columns}
    some = FileSystemDataset([fragments[file] for file in part.files], whole.schema, whole.format, whole.filesystem)
    return some.to_table([name for name in whole.schema.names if name in wanted])


def _frame(spark: "SparkSession", part: CheckTask, settings: Settings) -> "DataFrame":
    """The part's files as they are: rule 6 of docs/design.md keeps tables free of what only Delta's own reader understands."""
    import json

    from pyspark.sql.types import StructType

    schema = StructType.fromJson(json.loads(part.delta.schema().to_json()))
    lake, name = settings.lake, part.table.name
    files = map(literal, paths(lake, name, part.files))
    return spark.read.schema(schema).option("basePath", lake.table(name)).parquet(*files)
