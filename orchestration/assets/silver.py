"""Silver, in Dagster: see nextclick/tables/silver.py."""

from collections.abc import Iterable
from typing import Any

from dagster import AssetExecutionContext, MaterializeResult, ResourceParam, multi_asset

from nextclick.tables import silver
from orchestration.assets.words import build, spec
from orchestration.stations import Stations

Results = Iterable[MaterializeResult[Any]]


@multi_asset(specs=[spec(silver.EVENTS), spec(silver.QUARANTINE)], pool="build_events")
def silver_events(context: AssetExecutionContext, stations: ResourceParam[Stations]) -> Results:
    """Events, and every reject with its reason: one job writes both, and another brings the door's rejects."""
    yield from build(context, stations, "ingest_rejects", "build_events")


@multi_asset(
    specs=[
        spec(table)
        for table in (silver.IDENTITIES, silver.ITEMS, silver.USER_AGENTS, silver.SESSIONS, silver.IMPRESSIONS)
    ],
    pool="silver_of_events",
)
def silver_of_events(context: AssetExecutionContext, stations: ResourceParam[Stations]) -> Results:
    """What follows from the events alone, side by side: who is who, items, browsers and bots, sessions, impressions."""
    names = ("build_identities", "build_items", "build_user_agents", "build_sessions", "build_impressions")
    yield from build(context, stations, *names)
