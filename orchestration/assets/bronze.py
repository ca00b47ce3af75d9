"""Bronze, in Dagster: see nextclick/contracts/bronze.py."""

from collections.abc import Iterable
from typing import Any

from dagster import AssetExecutionContext, MaterializeResult, ResourceParam, multi_asset

from nextclick.contracts import bronze
from orchestration.assets.asset_specs import build, spec
from orchestration.step_runner import StepRunner


@multi_asset(specs=[spec(bronze.EVENTS)], pool="ingest_events")
def bronze_events(context: AssetExecutionContext, steps: ResourceParam[StepRunner]) -> Iterable[MaterializeResult[Any]]:
    """One row per line of the landing log."""
    yield from build(context, steps)
