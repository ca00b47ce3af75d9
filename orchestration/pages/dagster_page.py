"""Dagster's page behind the guard: `python -m orchestration.pages.dagster_page PORT`, which `nextclick up` calls."""

import sys
from typing import Any

import uvicorn
from dagster import DagsterInstance
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import ModuleTarget
from dagster_webserver.version import __version__
from dagster_webserver.webserver import DagsterWebserver
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from nextclick.settings import CHECKOUT, load
from nextclick.web import guard

_POLL_MILLISECONDS = 2000
"""Between two looks of the page at its assets."""


class GuardedWebserver(DagsterWebserver[WorkspaceProcessContext, Any]):
    """Dagster's own, for those alone whom the guard lets in; nothing is changed by GET."""

    def __init__(self, context: WorkspaceProcessContext, token: str) -> None:
        self._token = token
        super().__init__(context, live_data_poll_rate=_POLL_MILLISECONDS)

    def build_middleware(self) -> list[Middleware]:
        return [*guard.middleware(self._token), *super().build_middleware()]

    async def graphql_http_endpoint(self, request: Request) -> Response:
        """POST of JSON alone, which no form and no image of a page can send."""
        if request.method != "POST":
            return PlainTextResponse("Queries are POSTed.", 405, {"Allow": "POST"})
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            return PlainTextResponse("Queries are application/json.", 415)
        answer: Response = await super().graphql_http_endpoint(request)
        return answer


def main(port: int) -> None:
    """Serve until SIGINT or SIGTERM."""
    target = ModuleTarget("orchestration.definitions", None, str(CHECKOUT), None)
    with (
        DagsterInstance.get() as instance,
        WorkspaceProcessContext(instance, target, version=__version__, code_server_log_level="warning") as context,
    ):
        app = GuardedWebserver(context, guard.stored_token(load().lake)).create_asgi_app()
        uvicorn.run(app, host=guard.HOST, port=port, log_level="warning")


if __name__ == "__main__":
    main(int(sys.argv[1]))
