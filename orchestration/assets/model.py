"""The model and its export, in Dagster."""

from typing import Any

from dagster import MaterializeResult, MetadataValue, ResourceParam, asset

from nextclick.kv.backends import BACKENDS
from orchestration.assets.words import counts, key
from orchestration.pipeline import station
from orchestration.stations import Stations


@asset(deps=[key(table) for table in station("train").reads], group_name="model", pool="train", kinds={"mlflow"})
def recommender(stations: ResourceParam[Stations]) -> MaterializeResult[Any]:
    """The nightly model: fitted, judged, registered in MLflow and, through the gate, champion."""
    from ml.registry import champion

    [report] = stations.perform("train")
    standing, port = champion.standing(stations.settings.lake), stations.settings.orchestration.mlflow_port
    links = {}
    if standing.champion:
        page = f"http://127.0.0.1:{port}/#/models/{champion.NAME}/versions/{standing.champion.version}"
        links = {"mlflow": MetadataValue.url(page), "champion": standing.champion.version}
    if standing.attempt and standing.attempt.run_id:
        links["mlflow_run"] = MetadataValue.text(standing.attempt.run_id)
    return MaterializeResult(metadata=counts(report) | links)


@asset(
    deps=[key(table) for table in station("train_ctr").reads], group_name="model", pool="train_ctr", kinds={"mlflow"}
)
def click_model(stations: ResourceParam[Stations]) -> MaterializeResult[Any]:
    """The probability of a click, for the ranking of answers; the next export takes it along."""
    [report] = stations.perform("train_ctr")
    return MaterializeResult(metadata=counts(report))


@asset(deps=[*map(key, station("export").reads), click_model], group_name="serving", pool="export", kinds=set(BACKENDS))
def export(stations: ResourceParam[Stations]) -> MaterializeResult[Any]:
    """The lists in the key-value table, where answers come from."""
    [report] = stations.perform("export")
    return MaterializeResult(metadata=counts(report))


@asset(deps=[key(table) for table in station("learn_bandits").reads], group_name="serving", pool="learn_bandits")
def bandits(stations: ResourceParam[Stations]) -> MaterializeResult[Any]:
    """What bandits learned from what was shown and clicked: docs/bandits.md."""
    [report] = stations.perform("learn_bandits")
    return MaterializeResult(metadata=counts(report))
