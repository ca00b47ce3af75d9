"""The contracts in Dagster's words: what an asset is, and what a run of it did."""

from collections.abc import Iterable
from typing import Any

from dagster import (
    AssetExecutionContext,
    AssetKey,
    AssetObservation,
    AssetSpec,
    DataVersion,
    Failure,
    MaterializeResult,
    MetadataValue,
    TableColumn,
    TableColumnConstraints,
    TableSchema,
)

from nextclick.contracts.catalog import table as contract
from nextclick.contracts.table import Table
from nextclick.errors import CheckStopped, UsageError
from nextclick.lake.paths import Lake
from nextclick.lake.table_state import table_state
from nextclick.report import JobReport
from orchestration.pipeline import side_by_side, writers
from orchestration.step_runner import StepRunner, writer


def key(table: str) -> AssetKey:
    """`silver.events` → `silver_events`."""
    return AssetKey(table.replace(".", "_"))


def spec(table: Table, *further: str) -> AssetSpec:
    """The asset of a table; `further` are assets that it depends on beside the tables that it reads."""
    return AssetSpec(
        key(table.name),
        deps=[*map(key, table.reads), *further],
        description=f"{table.doc}\n\nKey: {', '.join(table.key)}. Contract: nextclick/contracts/{table.layer}.py.",
        group_name=str(table.layer),
        metadata={"dagster/column_schema": _columns(table), "dagster/table_name": table.name},
        kinds={"delta"},
    )


def _columns(table: Table) -> TableSchema:
    return TableSchema(
        [
            TableColumn(column.name, column.type, column.doc, TableColumnConstraints(nullable=column.nullable))
            for column in table.columns
        ]
    )


def build(context: AssetExecutionContext, runner: StepRunner) -> Iterable[MaterializeResult[Any]]:
    """Perform the steps that write the tables of this op, in order; a result for each table.

    While another process, such as `nextclick stream`, is the tables' writer, they are
    observed instead: what that process has written so far is what stands.
    """
    lake, tables = runner.settings.lake, [spec.metadata["dagster/table_name"] for spec in context.assets_def.specs]
    steps = writers(tables)
    busy = writer(lake, (table for step in steps for table in step.writes))
    todo = [] if busy else side_by_side(steps)
    reports = [report for group in todo for report in perform(runner, *(step.name for step in group))]
    for table in map(contract, tables):
        facts = state(lake, table.name) | ({"written_by": busy} if busy else {})
        if busy:
            context.log_event(AssetObservation(key(table.name), metadata=facts))
        yield MaterializeResult(
            key(table.name),
            metadata=facts | {name: value for report in reports for name, value in counts(report).items()},
            data_version=DataVersion(f"delta-{facts['version']}"),
        )


def perform(runner: StepRunner, *names: str) -> list[JobReport]:
    """As StepRunner.perform; what will not pass by itself is not tried again."""
    try:
        return runner.perform(*names)
    except (CheckStopped, UsageError) as error:
        raise Failure(str(error), allow_retries=False) from error


def state(lake: Lake, table: str) -> dict[str, Any]:
    """Row count, version and time of the newest commit, as metadata."""
    now = table_state(lake, table)
    updated = {"updated_at": MetadataValue.timestamp(now.updated_at)} if now.updated_at else {}
    return {"dagster/row_count": now.rows, "version": now.version, **updated}


def counts(report: JobReport) -> dict[str, Any]:
    """What one job did, its names before its counts."""
    done = {"read": report.read, "written": report.written, "rejected": report.rejected, "duplicate": report.duplicate}
    facts = {name: value for name, value in report.details.items() if value is not None}
    return {f"{report.job}/{name}": value for name, value in (done | facts | {"seconds": report.seconds}).items()}
