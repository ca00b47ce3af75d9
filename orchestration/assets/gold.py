"""Gold, in Dagster: see nextclick/tables/gold.py."""

from collections.abc import Iterable
from typing import Any

from dagster import AssetExecutionContext, MaterializeResult, ResourceParam, multi_asset

from nextclick.tables import gold
from orchestration.assets.words import build, spec
from orchestration.stations import Stations

Results = Iterable[MaterializeResult[Any]]


@multi_asset(specs=[spec(gold.INTERACTIONS)], pool="build_interactions")
def gold_interactions(context: AssetExecutionContext, stations: ResourceParam[Stations]) -> Results:
    """Who used what, how strongly."""
    yield from build(context, stations, "build_interactions")


@multi_asset(specs=[spec(gold.TRAFFIC_DAILY)], pool="build_traffic_daily")
def gold_traffic_daily(context: AssetExecutionContext, stations: ResourceParam[Stations]) -> Results:
    """Traffic by day."""
    yield from build(context, stations, "build_traffic_daily")


@multi_asset(specs=[spec(gold.ITEM_DAILY)], pool="build_item_daily")
def gold_item_daily(context: AssetExecutionContext, stations: ResourceParam[Stations]) -> Results:
    """Items by day."""
    yield from build(context, stations, "build_item_daily")


@multi_asset(
    specs=[spec(table, "recommender") for table in (gold.RECOMMENDATIONS, gold.POPULAR_ITEMS, gold.SIMILAR_ITEMS)],
    pool="lists",
)
def gold_recommendations(context: AssetExecutionContext, stations: ResourceParam[Stations]) -> Results:
    """What to show everyone, as the three tables that belong together."""
    yield from build(context, stations, "lists")
