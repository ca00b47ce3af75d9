"""The expectations as Dagster's asset checks: one op for tables that are made together, one result an expectation.

The specs are plain data. A failure of severity stop blocks what is downstream in the
same run; what blocks every other run is the row in gold.data_quality (orchestration/stop_guard.py).
"""

from collections.abc import Iterable, Iterator

from dagster import (
    AssetCheckResult,
    AssetChecksDefinition,
    AssetCheckSeverity,
    AssetCheckSpec,
    AssetsDefinition,
    ResourceParam,
    multi_asset_check,
)

from expectations.results import TableStatus, latest_results
from expectations.suites.expectation import Expectation, Severity
from expectations.suites.suite import CHECKED, suite
from nextclick.settings import Settings
from orchestration import stop_guard
from orchestration.assets.asset_specs import key
from orchestration.pipeline import STEPS, StepKind
from orchestration.step_runner import StepRunner


def asset_checks(settings: Settings, assets: Iterable[AssetsDefinition]) -> list[AssetChecksDefinition]:
    """One definition for the tables that are made together and read by the same steps: a stop on one keeps back what all would."""
    of_assets = [{spec.metadata.get("dagster/table_name") for spec in asset.specs} for asset in assets]
    together: dict[tuple[int | None, frozenset[str]], list[str]] = {}
    for table in CHECKED:
        maker = next((number for number, tables in enumerate(of_assets) if table in tables), None)  # None: an import
        readers = frozenset(step.name for step in STEPS if step.kind is not StepKind.CHECK and table in step.reads)
        together.setdefault((maker, readers), []).append(table)
    return [_of_tables(settings, tuple(tables)) for tables in together.values()]


def _of_tables(settings: Settings, tables: tuple[str, ...]) -> AssetChecksDefinition:
    """Named by the first of them."""
    expected = {table: suite(table, settings) for table in tables}
    specs = [
        AssetCheckSpec(one.name, asset=key(table), description=one.meaning, blocking=one.severity is Severity.STOP)
        for table in tables
        for one in expected[table]
    ]

    @multi_asset_check(name=f"check_{tables[0].replace('.', '_')}", specs=specs)
    def check(steps: ResourceParam[StepRunner]) -> Iterable[AssetCheckResult]:
        stop_guard.look(steps.settings, tables)
        newest = latest_results(steps.settings.lake)
        for table in tables:
            yield from _results(table, expected[table], newest.get(table))

    return check


def _results(table: str, expected: tuple[Expectation, ...], status: TableStatus | None) -> Iterator[AssetCheckResult]:
    """What is known of the newest checked version; of a table that was never written everything holds."""
    for one in expected:
        result = status.checks[one.name] if status else None
        stops = one.severity is Severity.STOP and not (status and one.name in status.overrides)
        facts = (
            {"table_version": result.table_version, "scope": result.scope, "observed": result.observed}
            if result
            else {}
        )
        yield AssetCheckResult(
            passed=result is None or result.success,
            asset_key=key(table),
            check_name=one.name,
            severity=AssetCheckSeverity.ERROR if stops else AssetCheckSeverity.WARN,
            metadata=facts,
        )
