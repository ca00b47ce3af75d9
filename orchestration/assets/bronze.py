"""Bronze, in Dagster: see nextclick/contracts/bronze.py."""

from collections.abc import Iterable
from typing import Any

from dagster import AssetExecutionContext, MaterializeResult, ResourceParam, multi_asset

from nextclick.contracts import bronze
from orchestration.assets.words import build, spec
from orchestration.stations import Stations


@multi_asset(specs=[spec(bronze.EVENTS)], pool="ingest_events")
def bronze_events(
    context: AssetExecutionContext, stations: ResourceParam[Stations]
) -> Iterable[MaterializeResult[Any]]:
    """One row per line of the landing log."""
    yield from build(context, stations)
