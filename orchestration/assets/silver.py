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


@multi_asset(specs=[spec(silver.IDENTITIES)], pool="build_identities")
def silver_identities(context: AssetExecutionContext, stations: ResourceParam[Stations]) -> Results:
    """Which visitor is which user."""
    yield from build(context, stations, "build_identities")


@multi_asset(specs=[spec(silver.ITEMS)], pool="build_items")
def silver_items(context: AssetExecutionContext, stations: ResourceParam[Stations]) -> Results:
    """What is known of each item."""
    yield from build(context, stations, "build_items")


@multi_asset(specs=[spec(silver.USER_AGENTS)], pool="build_user_agents")
def silver_user_agents(context: AssetExecutionContext, stations: ResourceParam[Stations]) -> Results:
    """What each user agent says, and which are bots."""
    yield from build(context, stations, "build_user_agents")


@multi_asset(specs=[spec(silver.SESSIONS)], pool="build_sessions")
def silver_sessions(context: AssetExecutionContext, stations: ResourceParam[Stations]) -> Results:
    """Sessions, exact."""
    yield from build(context, stations, "build_sessions")
