"""Audiences, in Dagster: who entered and left, and who belongs."""

from collections.abc import Iterable
from typing import Any

from dagster import AssetExecutionContext, MaterializeResult, ResourceParam, multi_asset

from nextclick.contracts.gold import AUDIENCE_MEMBERS
from nextclick.contracts.silver_served import AUDIENCE_CHANGES
from orchestration.assets.asset_specs import build, spec
from orchestration.step_runner import StepRunner

Results = Iterable[MaterializeResult[Any]]


@multi_asset(specs=[spec(AUDIENCE_CHANGES)], pool=AUDIENCE_CHANGES.job)
def silver_audience_changes(context: AssetExecutionContext, steps: ResourceParam[StepRunner]) -> Results:
    """Who entered and left audiences, as the landing log says it."""
    yield from build(context, steps)


@multi_asset(specs=[spec(AUDIENCE_MEMBERS)], pool=AUDIENCE_MEMBERS.job)
def gold_audience_members(context: AssetExecutionContext, steps: ResourceParam[StepRunner]) -> Results:
    """Who belongs to which audience: everybody is looked at, by the function that the live path calls."""
    yield from build(context, steps)
