"""The expectations as Dagster's asset checks: one op a table, one result an expectation.

The specs are plain data. A failure of severity stop blocks what is downstream in the
same run; what blocks every other run is the row in gold.data_quality (orchestration/stop_guard.py).
"""

from collections.abc import Iterable, Iterator

from dagster import (
    AssetCheckResult,
    AssetChecksDefinition,
    AssetCheckSeverity,
    AssetCheckSpec,
    ResourceParam,
    multi_asset_check,
)

from expectations.results import TableStatus, latest_results
from expectations.suites.expectation import Expectation, Severity
from expectations.suites.suite import CHECKED, suite
from nextclick.settings import Settings
from orchestration import stop_guard
from orchestration.assets.asset_specs import key
from orchestration.step_runner import StepRunner


def asset_checks(settings: Settings) -> list[AssetChecksDefinition]:
    """One definition for each table that has a suite."""
    return [_of_table(table, suite(table, settings)) for table in CHECKED]


def _of_table(table: str, expected: tuple[Expectation, ...]) -> AssetChecksDefinition:
    specs = [
        AssetCheckSpec(one.name, asset=key(table), description=one.meaning, blocking=one.severity is Severity.STOP)
        for one in expected
    ]

    @multi_asset_check(name=f"check_{table.replace('.', '_')}", specs=specs)
    def check(steps: ResourceParam[StepRunner]) -> Iterable[AssetCheckResult]:
        stop_guard.look(steps.settings, (table,))
        yield from _results(table, expected, latest_results(steps.settings.lake).get(table))

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
