"""The model and its export, in Dagster."""

from collections.abc import Iterable
from typing import Any

from dagster import AssetExecutionContext, MaterializeResult, MetadataValue, ResourceParam, asset, multi_asset

from nextclick.contracts import gold
from nextclick.kv.backends import BACKENDS
from orchestration.assets.asset_specs import build, counts, key, perform, spec
from orchestration.pipeline import step
from orchestration.step_runner import StepRunner


@asset(deps=[key(table) for table in step("train").reads], group_name="model", pool="train", kinds={"mlflow"})
def recommender(steps: ResourceParam[StepRunner]) -> MaterializeResult[Any]:
    """The nightly model: fitted, judged, registered in MLflow and, through the gate, champion."""
    from ml.registry import champion

    [report] = perform(steps, "train")
    standing, port = champion.model_status(steps.settings.lake), steps.settings.orchestration.mlflow_port
    links = {}
    if standing.champion:
        page = f"http://127.0.0.1:{port}/#/models/{champion.NAME}/versions/{standing.champion.version}"
        links = {"mlflow": MetadataValue.url(page), "champion": standing.champion.version}
    if standing.attempt and standing.attempt.run_id:
        links["mlflow_run"] = MetadataValue.text(standing.attempt.run_id)
    return MaterializeResult(metadata=counts(report) | links)


@asset(deps=[key(table) for table in step("train_ctr").reads], group_name="model", pool="train_ctr", kinds={"mlflow"})
def click_model(steps: ResourceParam[StepRunner]) -> MaterializeResult[Any]:
    """The probability of a click, for the ranking of answers; the next export takes it along."""
    [report] = perform(steps, "train_ctr")
    return MaterializeResult(metadata=counts(report))


@asset(
    deps=[*map(key, step("train_ranker").reads), click_model], group_name="model", pool="train_ranker", kinds={"mlflow"}
)
def learned_ranker(steps: ResourceParam[StepRunner]) -> MaterializeResult[Any]:
    """Boosted trees that rank answers while they are surely better than the score; the next export takes them along."""
    [report] = perform(steps, "train_ranker")
    return MaterializeResult(metadata=counts(report))


@multi_asset(specs=[spec(gold.PREDICTIONS, "gold_suspects")], pool=gold.PREDICTIONS.job)
def gold_predictions(
    context: AssetExecutionContext, steps: ResourceParam[StepRunner]
) -> Iterable[MaterializeResult[Any]]:
    """Who comes back, who buys: learned, judged, and foreseen of everybody who was there lately."""
    yield from build(context, steps)


@asset(
    deps=[*map(key, step("export").reads), key(gold.PREDICTIONS.name), click_model, learned_ranker],
    group_name="serving",
    pool="export",
    kinds=set(BACKENDS),
)
def export(steps: ResourceParam[StepRunner]) -> MaterializeResult[Any]:
    """The lists in the key-value table, where answers come from."""
    [report] = perform(steps, "export")
    return MaterializeResult(metadata=counts(report))


@asset(deps=[key(table) for table in step("learn_bandits").reads], group_name="serving", pool="learn_bandits")
def bandits(steps: ResourceParam[StepRunner]) -> MaterializeResult[Any]:
    """What bandits learned from what was shown and clicked: docs/bandits.md."""
    [report] = perform(steps, "learn_bandits")
    return MaterializeResult(metadata=counts(report))


@asset(deps=[key(table) for table in step("learn_actions").reads], group_name="serving", pool="learn_actions")
def next_best_actions(steps: ResourceParam[StepRunner]) -> MaterializeResult[Any]:
    """What actions are worth, and whether their policy is served: docs/next-best-action.md."""
    [report] = perform(steps, "learn_actions")
    return MaterializeResult(metadata=counts(report))
