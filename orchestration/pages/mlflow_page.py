"""MLflow's page behind the guard: `python -m orchestration.pages.mlflow_page PORT`, which `nextclick up` calls."""

import sys

import uvicorn
from starlette.types import ASGIApp

from ml.registry import page
from nextclick.settings import load
from nextclick.web import guard


def main(port: int) -> None:
    """Serve until SIGINT or SIGTERM."""
    lake = load().lake
    app: ASGIApp = page.app(lake)
    for layer in reversed(guard.middleware(guard.stored_token(lake))):
        app = layer.cls(app, *layer.args, **layer.kwargs)
    uvicorn.run(app, host=guard.HOST, port=port, log_level="warning")


if __name__ == "__main__":
    main(int(sys.argv[1]))
