"""MLflow's store, reached: files of this machine, or a database or a server that `[mlflow]` names.

Every call says where, so that nothing of the surroundings decides it. Where the store is gone or locked, ModelError says so;
nothing that serves people needs it.
"""

import logging
import os
import re
import sqlite3
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any, Final

from ml.registry.champion import NAME
from nextclick.errors import ModelError
from nextclick.extras import importing
from nextclick.lake.paths import Lake

OWNER: Final = "nextclick.lake"
"""Tag of the experiment: whose runs these are."""
_LOCK_SECONDS: Final = 5.0
"""Seconds for a lock, or for an answer."""


def check(lake: Lake) -> None:
    """The store can be used now, or ModelError: asked before minutes are spent on a fit."""
    if not lake.models.uri:
        _check_file(lake)
    elif lake.models.is_server:
        try:
            urllib.request.urlopen(f"{shown(lake).rstrip('/')}/health", timeout=_LOCK_SECONDS).close()
        except OSError as error:
            raise _unusable(lake, error) from error
    else:
        _check_database(lake)


def _check_file(lake: Lake) -> None:
    path = lake.state / "mlflow.db"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(path, timeout=_LOCK_SECONDS)) as store:
            store.execute("BEGIN IMMEDIATE")
            store.rollback()
    except (OSError, sqlite3.Error) as error:
        raise _unusable(lake, error) from error


def _check_database(lake: Lake) -> None:
    import sqlalchemy

    with importing("psycopg", "postgresql", "mlflow.uri names a PostgreSQL"):
        import psycopg  # noqa: F401
    try:
        engine = sqlalchemy.create_engine(lake.mlflow_uri, connect_args={"connect_timeout": int(_LOCK_SECONDS)})
        with closing(engine.connect()) as line:
            line.execute(sqlalchemy.text("SELECT 1"))
        engine.dispose()
    except (OSError, sqlalchemy.exc.SQLAlchemyError) as error:
        raise _unusable(lake, error) from error


@contextmanager
def connected(lake: Lake) -> Iterator[Any]:
    """A client of the lake's own store; what MLflow raises becomes a ModelError."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    check(lake)
    import mlflow
    from sqlalchemy.exc import SQLAlchemyError

    from ml.registry import bucket_artifacts

    bucket_artifacts.register()
    for name in ("mlflow", "alembic", "psycopg"):
        logging.getLogger(name).setLevel(logging.ERROR)
    mlflow.set_tracking_uri(lake.mlflow_uri)  # log_model has no argument for it
    mlflow.set_registry_uri(lake.mlflow_uri)
    try:
        client = mlflow.MlflowClient(lake.mlflow_uri, lake.mlflow_uri)
        if lake.models.uri:
            _require_own(client, lake)
        yield client
    except (mlflow.MlflowException, SQLAlchemyError, sqlite3.Error, OSError) as error:
        raise _unusable(lake, error) from error


def _require_own(client: Any, lake: Lake) -> None:
    """ModelError where another lake's champions are registered: each name has one."""
    experiment = client.get_experiment_by_name(NAME)
    owner = experiment.tags.get(OWNER) if experiment else None
    if owner not in (None, lake.data):
        raise ModelError(
            f"MLflow's store {shown(lake)} holds the models of {owner}, not of {lake.data}: a lake needs one of its own. Name another in "
            f"mlflow.uri. If the lake was moved, give the tag {OWNER} of the experiment {NAME} its new address."
        )


def shown(lake: Lake) -> str:
    """Where the store is, without a password."""
    if not lake.models.uri:
        return lake.mlflow_uri
    return re.sub(r"//.*@", "//", lake.mlflow_uri.partition("?")[0])


def _unusable(lake: Lake, error: Exception) -> ModelError:
    reason = str(error).splitlines()[0].replace(lake.mlflow_uri, shown(lake))
    hint = (
        "Look at mlflow.uri, and at what answers there"
        if lake.models.uri
        else "If another process holds it, wait for it or stop it; if the file is damaged, restore it or move it away"
    )
    return ModelError(
        f"MLflow's store {shown(lake)} cannot be used: {reason}. The last champion is still served. {hint}; "
        "then call `nextclick train` again."
    )
