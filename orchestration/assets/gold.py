"""Gold, in Dagster: see nextclick/contracts/gold.py."""

from collections.abc import Iterable
from typing import Any

from dagster import AssetExecutionContext, MaterializeResult, ResourceParam, multi_asset

from nextclick.contracts import catalog, gold
from nextclick.contracts.gold_analytics import MODEL_DAILY
from nextclick.contracts.gold_anomalies import ANOMALIES
from orchestration.assets.asset_specs import build, spec
from orchestration.pipeline import ATTRIBUTION, GOLD, LISTS, SUSPICIONS
from orchestration.step_runner import StepRunner

Results = Iterable[MaterializeResult[Any]]


@multi_asset(specs=[spec(catalog.table(name)) for name in SUSPICIONS], pool=ANOMALIES.job)
def gold_anomalies(context: AssetExecutionContext, steps: ResourceParam[StepRunner]) -> Results:
    """What is out of the ordinary in traffic, and whom to suspect."""
    yield from build(context, steps)


@multi_asset(specs=[spec(gold.INTERACTIONS, "gold_suspects")], pool=gold.INTERACTIONS.job)
def gold_interactions(context: AssetExecutionContext, steps: ResourceParam[StepRunner]) -> Results:
    """Who used what: what the model learns from, so that it need not wait for the other tables."""
    yield from build(context, steps)


@multi_asset(
    specs=[spec(catalog.table(name), "gold_suspects") for name in GOLD if name != gold.INTERACTIONS.name],
    pool="gold_of_silver",
)
def gold_of_silver(context: AssetExecutionContext, steps: ResourceParam[StepRunner]) -> Results:
    """Traffic, visits, items and answers by day, side by side."""
    yield from build(context, steps)


@multi_asset(specs=[spec(catalog.table(name)) for name in ATTRIBUTION], pool="attribution")
def gold_attribution(context: AssetExecutionContext, steps: ResourceParam[StepRunner]) -> Results:
    """Who gets the credit of conversions, by each rule."""
    yield from build(context, steps)


@multi_asset(specs=[spec(MODEL_DAILY, "recommender", "gold_recommendations")], pool="model_daily")
def gold_model_daily(context: AssetExecutionContext, steps: ResourceParam[StepRunner]) -> Results:
    """How good the recommender is, by day. Training and lists add rows of their own, so it comes after them, and its check with it."""
    yield from build(context, steps)


@multi_asset(
    specs=[spec(catalog.table(name), "recommender") for name in LISTS],
    pool="lists",
)
def gold_recommendations(context: AssetExecutionContext, steps: ResourceParam[StepRunner]) -> Results:
    """What to show everyone, as the tables that belong together."""
    yield from build(context, steps)
