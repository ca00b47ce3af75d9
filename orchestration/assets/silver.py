"""Silver, in Dagster: see nextclick/contracts/silver.py."""

from collections.abc import Iterable
from typing import Any

from dagster import AssetExecutionContext, MaterializeResult, ResourceParam, multi_asset

from nextclick.contracts import silver, silver_served
from nextclick.contracts.catalog import TABLES
from nextclick.contracts.table import Layer, Table
from orchestration.assets.asset_specs import build, spec
from orchestration.step_runner import StepRunner

Results = Iterable[MaterializeResult[Any]]


def _typed(table: Table) -> bool:
    """Made of bronze; everything else in silver is made of these."""
    return table.job == silver.EVENTS.job


@multi_asset(
    specs=[spec(table) for table in TABLES if table.layer is Layer.SILVER and _typed(table)], pool="build_events"
)
def silver_events(context: AssetExecutionContext, steps: ResourceParam[StepRunner]) -> Results:
    """Events, and every reject with its reason: one job writes both, and another brings the door's rejects."""
    yield from build(context, steps)


@multi_asset(
    specs=[spec(table) for table in TABLES if table.layer is Layer.SILVER and table.spark and not _typed(table)],
    pool="silver_of_events",
)
def silver_of_events(context: AssetExecutionContext, steps: ResourceParam[StepRunner]) -> Results:
    """What follows from the events alone, side by side: who is who, items, browsers and bots, sessions, items that were served."""
    yield from build(context, steps)


@multi_asset(specs=[spec(silver_served.SENDS)], pool="sends")
def silver_sends(context: AssetExecutionContext, steps: ResourceParam[StepRunner]) -> Results:
    """Who was sent what, and who was not."""
    yield from build(context, steps)
