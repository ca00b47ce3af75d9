"""MLflow's page behind the guard: `python -m orchestration.mlflow_page PORT`, which `nextclick up` calls."""

import sys

import uvicorn
from starlette.types import ASGIApp

from ml.registry import page
from nextclick.settings import load
from orchestration import page_guard


def main(port: int) -> None:
    """Serve until SIGINT or SIGTERM."""
    lake = load().lake
    app: ASGIApp = page.app(lake)
    for layer in reversed(page_guard.middleware(page_guard.stored_token(lake))):
        app = layer.cls(app, *layer.args, **layer.kwargs)
    uvicorn.run(app, host=page_guard.HOST, port=port, log_level="warning")


if __name__ == "__main__":
    main(int(sys.argv[1]))
