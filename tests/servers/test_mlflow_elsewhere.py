"""MLflow on servers of its own: runs and models in a PostgreSQL, or behind MLflow's server, files in a bucket."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import pytest

from ml.jobs import publish_lists, rollback, train
from ml.registry import champion, tracking
from nextclick import ports
from nextclick.errors import ModelError
from nextclick.lake import delta
from nextclick.object_store import bucket
from nextclick.settings import CHECKOUT, Settings, environment, load
from nextclick.web import guard
from serving.export import export
from serving.recommend import lookup
from tests import object_store
from tests.conftest import WriteInteractions, tastes
from tests.servers import postgresql
from tests.wait import listens, wait_until

needs_store = pytest.mark.skipif(bool(object_store.missing()), reason=object_store.missing())
needs_database = pytest.mark.skipif(bool(postgresql.missing()), reason=postgresql.missing())
pytestmark = [pytest.mark.servers, pytest.mark.slow]


@pytest.fixture(scope="module")
def store() -> Iterator[object_store.Store]:
    with object_store.running() as store:
        yield store


@pytest.fixture(scope="module")
def database() -> Iterator[postgresql.PostgreSQL]:
    with postgresql.running() as server:
        yield server


def stored(store: object_store.Store, disk: Path, lake: str) -> None:
    """Put the table of interactions that is below a folder into a lake of the store."""
    for file in (disk / "gold" / "interactions").rglob("*"):
        if file.is_file():
            bucket.put(f"{lake}/{file.relative_to(disk)}", file.read_bytes())


def shown_by_the_page(settings: Settings, variables: Mapping[str, str], *paths: str) -> list[Any]:
    """What MLflow's page, as `nextclick up` starts it, answers to who brings the token."""
    port, token = ports.free("127.0.0.1", 0), guard.new_token()
    guard.store_token(settings.lake, token)
    command = [sys.executable, "-m", "orchestration.pages.mlflow_page", str(port)]
    known = environment(settings, PYTHONPATH=str(CHECKOUT), MLFLOW_SERVER_ENABLE_JOB_EXECUTION="false", **variables)
    with subprocess.Popen(command, cwd=CHECKOUT, env=known) as page:
        try:
            wait_until(lambda: page.poll() is not None or listens(port), 120, 0.2)
            headers = {"Authorization": f"Bearer {token}"}
            return [httpx.get(f"http://127.0.0.1:{port}{path}", headers=headers, timeout=60).json() for path in paths]
        finally:
            page.terminate()


@needs_store
@needs_database
def test_what_one_machine_trains_another_restores_serves_and_takes_back(
    store: object_store.Store,
    database: postgresql.PostgreSQL,
    tmp_path: Path,
    write_interactions: WriteInteractions,
) -> None:
    address = database.address.replace("shop@", f"shop:{database.password}@")
    elsewhere = {"NEXTCLICK_MLFLOW__URI": address, "NEXTCLICK_MLFLOW__ARTIFACTS": f"s3://{object_store.BUCKET}/models"}

    def machine(name: str, lake: str = "shop", **more: str) -> Settings:
        environment = {**store.environment(tmp_path / name), **elsewhere, **more}
        settings = load(store.lake(lake), profile="test", environ=environment)
        settings.lake.prepare()
        return settings

    one, two = machine("one"), machine("two")
    write_interactions(tmp_path / "disk", tastes())
    stored(store, tmp_path / "disk", one.lake.data)
    assert train.run(one).details["champion"] == "1"
    publish_lists.run(one)
    assert not (one.lake.state / "mlflow.db").exists()
    assert not (one.lake.state / "mlartifacts").exists()
    assert database.psql("SELECT version FROM model_versions WHERE name = 'recommender'") == "1"

    run = champion.model_status(two.lake).champion
    assert run is not None
    model, kept = shown_by_the_page(
        one,
        {**store.environment(tmp_path / "one"), **elsewhere},
        "/api/2.0/mlflow/registered-models/get?name=recommender",
        f"/get-artifact?path=environment.json&run_uuid={run.run_id}",
    )
    assert model["registered_model"]["aliases"][0]["version"] == "1"
    assert kept["packages"]["mlflow"]

    listed = delta.require(two.lake, "gold.recommendations").to_pyarrow_table().to_pandas()
    mine = listed[listed.person_id == "p7"].sort_values("rank").item_id.tolist()
    asked = pd.DataFrame({"person_id": ["p7"]})
    assert tracking.load(two.lake).predict(asked, params={"n": 20})["items"][0] == mine
    export.run(two)
    assert [item.item_id for item in lookup(two, "p7", 20).items] == mine

    write_interactions(tmp_path / "disk", [(f"p{n}", f"i{n % 4}{n % 10}", 1.0, 21.0, 21.0) for n in range(60)])
    stored(store, tmp_path / "disk", two.lake.data)
    assert train.run(two).details["champion"] == "2"
    publish_lists.run(two)
    assert tracking.champion(one.lake) == champion.model_status(two.lake).champion
    export.run(two)
    rollback.run(two, export.rollback_target(two).lists)
    reigning = tracking.champion(one.lake)
    assert reigning is not None
    assert reigning.version == "1"

    for file in bucket.below(f"s3://{object_store.BUCKET}/models"):
        if file.endswith("/pyfunc.py"):
            bucket.put(file, b"open('ran', 'w')")
    with pytest.raises(ModelError, match="not the files that were registered as version 1"):
        tracking.load(two.lake)

    with pytest.raises(ModelError, match=r"holds the models of s3://lakes/shop, not of s3://lakes/other"):
        tracking.champion(machine("three", "other").lake)
    wrong = address.replace(database.password, "not the password")
    with pytest.raises(ModelError, match="password authentication failed") as refused:
        tracking.champion(machine("four", NEXTCLICK_MLFLOW__URI=wrong.replace(" ", "%20")).lake)
    assert "not%20the" not in str(refused.value)
    assert "Look at mlflow.uri" in str(refused.value)


def test_mlflows_own_server_keeps_runs_and_models(tmp_path: Path, write_interactions: WriteInteractions) -> None:
    port = ports.free("127.0.0.1", 0)
    places = [
        "--backend-store-uri",
        f"sqlite:///{tmp_path}/runs.db",
        "--artifacts-destination",
        str(tmp_path / "files"),
    ]
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    environment = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    log = (tmp_path / "server.log").open("wb")
    with (
        log,
        subprocess.Popen(
            [*command, *places], env=environment, stdout=log, stderr=log, cwd=tmp_path, start_new_session=True
        ) as server,
    ):
        try:
            wait_until(lambda: server.poll() is not None or listens(port), 120, 0.2)
            assert server.poll() is None, (tmp_path / "server.log").read_text()[-2000:]
            address = {"NEXTCLICK_MLFLOW__URI": f"http://127.0.0.1:{port}"}
            settings = load(tmp_path / "lake", profile="test", environ=address)
            write_interactions(settings.lake.root, tastes())
            assert train.run(settings).details["champion"] == "1"
            publish_lists.run(settings)
            export.run(settings)
            mine = [item.item_id for item in lookup(settings, "p7", 20).items]
            answer = tracking.load(settings.lake).predict(pd.DataFrame({"person_id": ["p7"]}), params={"n": 20})
            assert answer["items"][0] == mine
            assert not (settings.lake.state / "mlflow.db").exists()
            assert list((tmp_path / "files").rglob("pyfunc.py"))
        finally:
            os.killpg(server.pid, 15)
            server.wait(30)
    with pytest.raises(ModelError, match=r"http://127\.0\.0\.1:\d+ cannot be used: .*refused"):
        tracking.champion(settings.lake)
