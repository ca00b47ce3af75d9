"""Gold, in Dagster: see nextclick/tables/gold.py."""

from collections.abc import Iterable
from typing import Any

from dagster import AssetExecutionContext, MaterializeResult, ResourceParam, multi_asset

from nextclick import catalog
from nextclick.tables import gold
from orchestration.assets.words import build, spec
from orchestration.pipeline import LISTS
from orchestration.stations import Stations

Results = Iterable[MaterializeResult[Any]]


@multi_asset(
    specs=[
        spec(table)
        for table in (gold.INTERACTIONS, gold.TRAFFIC_DAILY, gold.ITEM_DAILY, gold.RECOMMENDATION_PERFORMANCE)
    ],
    pool="gold_of_silver",
)
def gold_of_silver(context: AssetExecutionContext, stations: ResourceParam[Stations]) -> Results:
    """Who used what, traffic, items and answers by day, side by side."""
    names = ("build_interactions", "build_traffic_daily", "build_item_daily", "build_recommendation_performance")
    yield from build(context, stations, *names)


@multi_asset(
    specs=[spec(catalog.table(name), "recommender") for name in LISTS],
    pool="lists",
)
def gold_recommendations(context: AssetExecutionContext, stations: ResourceParam[Stations]) -> Results:
    """What to show everyone, as the tables that belong together."""
    yield from build(context, stations, "lists")
