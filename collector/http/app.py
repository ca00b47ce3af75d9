"""The collector: an ASGI app that acknowledges nothing before it is durable."""

import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import msgspec

from collector import page_tag
from collector.dialects import DialectRoute, choose
from collector.dialects.shared.values import address, envelope
from collector.http.intake import Intake, unread
from collector.http.metrics import CollectorMetrics
from collector.http.resends import Recent
from collector.http.write_keys import Keys
from collector.request import client_ip
from collector.request.cookieless import AnonymousIds
from collector.request.decompress import unpack
from collector.request.model import HttpAnswer, Refused, Request, problem
from collector.sinks import RequestBatch, Sink, SinkDown
from nextclick.address import masked
from nextclick.contracts.events import Reject
from nextclick.settings import Settings
from nextclick.web import bodies, cors, local
from nextclick.web.answers import Receive, Scope, Send, headers_of, not_allowed, send_answer

_RECORDED: Final = (400, 413)
"""Refusals that leave a reject: the others say nothing about what was sent."""
_RETRY_SECONDS: Final = "5"


class CollectorApp:
    """Reads a request, lets its dialect say what it means, makes that durable, and answers."""

    def __init__(
        self, settings: Settings, open_sink: Callable[[CollectorMetrics], Sink], metrics: CollectorMetrics
    ) -> None:
        self._settings = settings.collector
        self._keys = Keys(self._settings)
        self._intake = Intake(settings, self._keys)
        self._recent = Recent()
        self._open_sink = open_sink
        self._metrics = metrics
        self._sink: Sink
        self._proxies = client_ip.networks(self._settings.proxies)
        self._anonymous_ids = AnonymousIds(f"{settings.lake.shared}/cookieless")
        self._pages: dict[str, Callable[[Mapping[str, str]], Awaitable[HttpAnswer]]] = {
            **page_tag.PAGES,
            "/health": self._health,
            "/sink-health": self._sink_health,
            "/metrics": self._metrics_page,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                self._sink = self._open_sink(self._metrics)
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                await self._sink.close()
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = headers_of(scope)
        path = scope["path"]
        origins = local.origins(headers, self._settings.origins, bool(self._settings.write_keys))
        if refusal := self._foreign(headers):
            answer = refusal
        elif page := self._pages.get(path):
            answer = await page(headers) if scope["method"] in ("GET", "HEAD") else not_allowed(("GET",))
        elif routes := self._intake.routes(path):
            answer = await self._tracked(scope, headers, routes, origins, receive)
        else:
            answer = problem(404, "no_such_path", "No dialect answers here: docs/trackers/README.md lists the paths.")
        await send_answer(send, scope, answer, (*answer.headers, *cors.headers(headers, origins)))

    def _foreign(self, headers: dict[str, str]) -> HttpAnswer | None:
        """The refusal of a request that a server without keys does not answer."""
        if self._settings.write_keys:
            return None
        try:
            local.require_local(headers, "collector.write_keys")
        except Refused as refused:
            self._metrics.refused.labels(refused.status, refused.reason).inc()
            return problem(refused.status, refused.reason, str(refused))
        return None

    async def _tracked(
        self,
        scope: Scope,
        headers: dict[str, str],
        routes: tuple[DialectRoute, ...],
        origins: tuple[str, ...],
        receive: Receive,
    ) -> HttpAnswer:
        method = scope["method"]
        if method == "OPTIONS":
            return HttpAnswer(status=204)
        allowed = tuple(dict.fromkeys(name for route in routes for name in route.methods))
        if method not in allowed:
            return not_allowed(allowed)
        route, request = routes[0], self._request(scope, headers, routes[0].path)
        try:
            try:
                cors.require_allowed(headers, origins, "collector.origins")
                if route.is_secret:
                    self._keys.require_secret(headers.get("authorization", ""))
                sent = await bodies.read(receive, self._settings, "collector")
                started = time.perf_counter()
                self._metrics.bytes.inc(len(sent))
                plain = unpack(sent, headers.get("content-encoding", ""), self._settings)
                route, request = choose(routes, msgspec.structs.replace(request, body=plain))
                answer, batch = self._intake.take(route, request)
                await self._land(batch)
                self._metrics.seconds.observe(time.perf_counter() - started)
                return answer
            except Refused as refused:
                self._metrics.refused.labels(refused.status, refused.reason).inc()
                if refused.status in _RECORDED:
                    await self._land(unread(route, request, _record(request, refused, self._settings.body_bytes)))
                answer = route.dialect.refuse(request, refused)
                return answer if refused.status != 429 else _later(answer)
        except SinkDown:
            self._metrics.sink_up.set(0)
            self._metrics.refused.labels(503, "not_durable").inc()
            return _later(problem(503, "not_durable", "Nothing can be stored now: send it again."))
        except ConnectionError:
            return HttpAnswer(status=400)  # nobody reads it

    def _request(self, scope: Scope, headers: dict[str, str], path: str) -> Request:
        """The request before its body."""
        received_at = time.time_ns() // 1_000_000
        asks = client_ip.address((scope.get("client") or ("",))[0], headers, self._proxies)
        # What Snowplow's tracker promises holds for whatever becomes of the request.
        ip = None if "sp-anonymous" in headers else address(asks)
        return Request(
            method=scope["method"],
            path=path,
            query=scope["query_string"].decode("latin-1"),
            headers=headers,
            received_at=received_at,
            token=secrets.token_hex(16),
            ip=ip,
            anonymous_id=self._anonymous_ids.of(asks, headers.get("user-agent", ""), received_at) if asks else None,
        )

    async def _land(self, batch: RequestBatch) -> None:
        """Make what a request brought durable, and count it."""
        if batch.events or batch.rejects:
            await self._sink.write(batch)
            self._metrics.sink_up.set(1)
        if batch.events:
            self._metrics.accepted.labels(batch.source).inc(len(batch.events))
            self._metrics.duplicates.inc(self._recent.count_known(batch.identities))
        for field in batch.unread:
            self._metrics.unread.labels(batch.source, field).inc()
        for reason in batch.reasons:
            self._metrics.rejected.labels(batch.source, reason).inc()

    async def _health(self, _: Mapping[str, str]) -> HttpAnswer:
        return HttpAnswer(body=b'{"status":"ok"}')

    async def _sink_health(self, _: Mapping[str, str]) -> HttpAnswer:
        try:
            await self._sink.probe()
        except SinkDown as down:
            self._metrics.sink_up.set(0)
            return _later(problem(503, "not_durable", str(down)))
        self._metrics.sink_up.set(1)
        return HttpAnswer(body=b'{"status":"ok"}')

    async def _metrics_page(self, headers: Mapping[str, str]) -> HttpAnswer:
        try:
            self._keys.require_operator(headers.get("authorization", ""))
        except Refused as refused:
            return problem(refused.status, refused.reason, str(refused))
        body, content_type = self._metrics.page()
        return HttpAnswer(body=body, content_type=content_type)


def _record(request: Request, refused: Refused, cap: int) -> Reject:
    """The reject of a request that was refused as a whole."""
    cut = isinstance(refused, bodies.TooLarge)
    body = refused.head if isinstance(refused, bodies.TooLarge) else request.body
    return Reject(
        reason=refused.reason,
        message=str(refused),
        payload=masked(body[:cap].decode("utf-8", "replace")),
        replayable=not cut,
        request=envelope(request),
    )


def _later(answer: HttpAnswer) -> HttpAnswer:
    return msgspec.structs.replace(answer, headers=(*answer.headers, ("retry-after", _RETRY_SECONDS)))
