"""Where MLflow keeps runs and models, as `[mlflow]` says it."""

from pathlib import Path

import pytest

from ml.registry import store
from nextclick.errors import ModelError, SettingsError, UsageError
from nextclick.lake.paths import Lake
from nextclick.settings import load


def lake(place: Path | str, uri: str = "", artifacts: str = "") -> Lake:
    return load(place, environ={"NEXTCLICK_MLFLOW__URI": uri, "NEXTCLICK_MLFLOW__ARTIFACTS": artifacts}).lake


def test_by_itself_it_is_in_files_of_this_machine(tmp_path: Path) -> None:
    there = lake(tmp_path)
    assert there.mlflow_uri == f"sqlite+pysqlite:///{tmp_path}/_state/mlflow.db"
    assert there.mlflow_artifacts == f"file://{tmp_path}/_state/mlartifacts"


def test_a_database_has_models_files_where_all_machines_find_them() -> None:
    there = lake("s3://bucket/shop", "postgresql://ann:pw@db.example/runs")
    assert there.mlflow_uri == "postgresql+psycopg://ann:pw@db.example/runs"
    assert there.mlflow_artifacts == "s3://bucket/shop/_state/mlartifacts"


def test_a_server_has_a_place_of_its_own_for_files(tmp_path: Path) -> None:
    assert lake(tmp_path, "https://mlflow.example").mlflow_artifacts == ""


def test_files_lie_where_the_setting_says(tmp_path: Path) -> None:
    assert lake(tmp_path, artifacts="s3a://models/shop/").mlflow_artifacts == "s3://models/shop"
    assert lake(tmp_path, artifacts="/srv/müll").mlflow_artifacts == "file:///srv/m%C3%BCll"
    with pytest.raises(UsageError, match=r"mlflow\.artifacts is gs://models: name a bucket"):
        lake(tmp_path, artifacts="gs://models")
    with pytest.raises(SettingsError, match=r"\$\.mlflow\.uri"):
        lake(tmp_path, "mysql://db.example/runs")


@pytest.mark.parametrize(
    "uri",
    [
        "postgresql://ann:p%40w@db.example:5432/runs",
        "postgresql+psycopg://ann@db.example:5432/runs?password=p%40w",
        "https://ann:p%40w@db.example:5432/runs",
    ],
)
def test_no_password_is_said(tmp_path: Path, uri: str) -> None:
    there = lake(tmp_path, uri)
    assert "p%40w" not in repr(there)
    assert store.shown(there).partition("://")[2] == "db.example:5432/runs"


def test_a_server_that_does_not_answer_is_named_before_a_fit(tmp_path: Path) -> None:
    there = lake(tmp_path, "http://ann:pw@127.0.0.1:9/")
    with pytest.raises(
        ModelError, match=r"MLflow's store http://127\.0\.0\.1:9/ cannot be used: .*refused.* Look at mlflow\.uri"
    ):
        store.check(there)
