"""The API: an ASGI app that reads a question, lets the engine answer it, and refuses what it cannot read."""

import time
from collections.abc import Callable
from typing import Final

import msgspec

from nextclick.settings import Settings
from nextclick.web import bodies, cors, local
from nextclick.web.answers import (
    HttpAnswer,
    Receive,
    Refused,
    Scope,
    Send,
    headers_of,
    lifespan,
    not_allowed,
    problem,
    send_answer,
)
from nextclick.web.operators import OperatorPages, metrics
from serving.api import openapi, routes
from serving.api.read_keys import Access
from serving.engine import Engine
from serving.metrics import ServingMetrics
from serving.schema import requests
from serving.schema.responses import Health

_encode: Final = msgspec.json.Encoder().encode

FOR_OPERATORS: Final[OperatorPages] = {
    "/metrics": metrics,
    "/openapi.json": openapi.document_page,
    "/docs": openapi.html_page,
}


class ApiApp:
    """One worker's app."""

    def __init__(self, settings: Settings, engine: Engine, metrics: ServingMetrics) -> None:
        self._settings = settings.serving
        self._site = settings.site
        self._access = Access(settings, metrics)
        self._engine = engine
        self._metrics = metrics
        self._pages: dict[str, Callable[[], HttpAnswer]] = {
            "/health": lambda: HttpAnswer(body=_encode(Health())),
            "/ready": self._ready,
            **({} if self._settings.metrics_port else FOR_OPERATORS),
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await lifespan(receive, send, self._engine.start, self._end)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)

    async def _end(self) -> None:
        self._engine.close()

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = headers_of(scope)
        body = bodies.Body(receive, headers)
        origins = local.origins(headers, self._settings.origins, bool(self._settings.read_keys))
        try:
            if not self._settings.read_keys:
                local.require_local(headers, "serving.read_keys")
            answer = self._page(scope, headers) or await self._answer(scope, headers, origins, body)
        except Refused as refused:
            self._metrics.refused.labels(refused.status, refused.reason).inc()
            answer = problem(refused.status, refused.reason, str(refused))
        except ConnectionError:
            answer = HttpAnswer(status=400)  # nobody reads it
        await send_answer(send, scope, answer, (*answer.headers, *body.headers(), *cors.headers(headers, origins)))

    def _page(self, scope: Scope, headers: dict[str, str]) -> HttpAnswer | None:
        """A page about the server itself; None for another path. What operators alone need wants the secret key where keys are set."""
        page = self._pages.get(scope["path"])
        if page is None:
            return None
        if scope["method"] not in ("GET", "HEAD"):
            return not_allowed(("GET",))
        if scope["path"] in FOR_OPERATORS:
            self._access.require_operator(headers)
        return page()

    async def _answer(
        self, scope: Scope, headers: dict[str, str], origins: tuple[str, ...], body: bodies.Body
    ) -> HttpAnswer:
        candidates = routes.find(scope["path"])
        if not candidates:
            raise Refused(404, "no_such_path", "There is no such path: /docs lists them.")
        if scope["method"] == "OPTIONS":
            return HttpAnswer(status=204)
        matching = [pair for pair in candidates if pair[0].method == scope["method"]]
        if not matching:
            return not_allowed(route.method for route, _ in candidates)
        cors.require_allowed(headers, origins, "serving.origins")
        (route, value), started = matching[0], time.perf_counter()
        request = await self._permitted(route, value, scope, headers, body)
        answer = HttpAnswer(body=_encode(await route.handle(self._engine, self._site, request)))
        self._metrics.took(route.path).observe(time.perf_counter() - started)
        return answer

    async def _permitted(
        self, route: routes.ApiRoute, value: str, scope: Scope, headers: dict[str, str], body: bodies.Body
    ) -> msgspec.Struct:
        """The question, of somebody who may ask it; the key is looked at first, where it does not stand in the body."""
        if route.secret:
            self._access.require_secret(headers)
        key = headers.get("x-read-key") or requests.key_of_query(scope["query_string"])
        in_body = key is None and route.method == "POST"
        if not in_body:
            self._access.require_site(key, headers)
        try:
            request = await self._question(route, value, scope, headers, body)
        except Refused:
            if in_body:
                self._access.count_unread()
            raise
        if in_body:
            self._access.require_site(getattr(request, "key", None), headers)
        return self._access.seen(self._access.proven(request, headers), headers)

    async def _question(
        self, route: routes.ApiRoute, value: str, scope: Scope, headers: dict[str, str], body: bodies.Body
    ) -> msgspec.Struct:
        if route.method == "POST":
            sent = await body.read(self._settings, "serving")
            return requests.of_body(route.request, sent, headers.get("content-encoding", ""))
        return requests.of_query(
            route.request, scope["query_string"], {route.parameter: value} if route.parameter else {}
        )

    def _ready(self) -> HttpAnswer:
        ready = self._engine.ready()
        return HttpAnswer(status=200 if ready.status == "ready" else 503, body=_encode(ready))
