"""MLflow's own page, as the app that its server runs."""

import os
from typing import Any

from nextclick.lake.paths import Lake


def app(lake: Lake) -> Any:
    """The ASGI app for the models and runs of a lake; its checks of host and origin are left as they are."""
    from mlflow.server.constants import (
        ARTIFACT_ROOT_ENV_VAR,
        BACKEND_STORE_URI_ENV_VAR,
        REGISTRY_STORE_URI_ENV_VAR,
    )
    from mlflow.server.handlers import initialize_backend_stores

    from ml.registry import bucket_artifacts

    bucket_artifacts.register()
    uri, artifacts = lake.mlflow_uri, lake.mlflow_artifacts
    os.environ.setdefault(BACKEND_STORE_URI_ENV_VAR, uri)
    os.environ.setdefault(REGISTRY_STORE_URI_ENV_VAR, uri)
    os.environ.setdefault(ARTIFACT_ROOT_ENV_VAR, artifacts)
    initialize_backend_stores(uri, uri, artifacts)
    from mlflow.server.fastapi_app import app

    return app
