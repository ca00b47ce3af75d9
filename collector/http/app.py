"""The collector: an ASGI app that acknowledges nothing before it is durable."""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import msgspec

from collector import page_tag
from collector.dialects import DialectRoute, choose
from collector.dialects.shared.events import envelope
from collector.dialects.shared.values import address
from collector.http.body_memory import BodyMemory
from collector.http.intake import Intake
from collector.http.metrics import CollectorMetrics
from collector.http.reject_budget import RejectBudget
from collector.http.resends import Recent
from collector.http.write_keys import Keys
from collector.request import client_ip
from collector.request.cookieless import AnonymousIds
from collector.request.decompress import unpack
from collector.request.model import ANONYMOUS, HttpAnswer, Refused, Request, problem
from collector.sinks import RequestBatch, Sink, SinkDown
from nextclick.contracts.events import Reject
from nextclick.settings import Settings
from nextclick.web import bodies, cors, local
from nextclick.web.answers import Receive, Scope, Send, headers_of, lifespan, not_allowed, send_answer
from nextclick.web.operators import OperatorPages, metrics

FOR_OPERATORS: Final[OperatorPages] = {"/metrics": metrics}
_RECORDED: Final = (400, 413)
"""Refusals that leave a reject: the others say nothing about what was sent."""
_LATER: Final = (429, 503)
_LONGEST_AGENT: Final = 1024
_RETRY_SECONDS: Final = "5"
_QUICK: Final = 64 << 10
_QUICK_PACKED: Final = 4 << 10
"""Bytes of a body, plain and packed; larger ones are read on a thread, one after the other, so that other requests need not wait."""


class CollectorApp:
    """Reads a request, lets its dialect say what it means, makes that durable, and answers."""

    def __init__(
        self, settings: Settings, open_sink: Callable[[CollectorMetrics], Sink], metrics: CollectorMetrics
    ) -> None:
        self._settings = settings.collector
        self._nobody = settings.events.nobody_words
        self._keys = Keys(self._settings, settings.lake.rates)
        self._memory = BodyMemory(settings.collector.bodies_bytes)
        self._slow = ThreadPoolExecutor(1, thread_name_prefix="large-bodies")
        self._intake = Intake(
            settings, self._keys, RejectBudget(settings.collector, folder=settings.lake.rates), metrics.lose
        )
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
            **(
                {}
                if self._settings.metrics_port
                else {path: self._operators_page(page) for path, page in FOR_OPERATORS.items()}
            ),
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await lifespan(receive, send, self._start, self._end)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)

    def _start(self) -> None:
        self._sink = self._open_sink(self._metrics)

    async def _end(self) -> None:
        await self._sink.close()
        self._slow.shutdown()

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = headers_of(scope)
        path = scope["path"]
        body = bodies.Body(receive, headers)
        origins = local.origins(headers, self._settings.origins, bool(self._settings.write_keys))
        if refusal := self._foreign(headers):
            answer = refusal
        elif page := self._pages.get(path):
            answer = await page(headers) if scope["method"] in ("GET", "HEAD") else not_allowed(("GET",))
        elif routes := self._intake.routes(path):
            answer = await self._tracked(scope, headers, routes, origins, body)
        else:
            answer = problem(404, "no_such_path", "No dialect answers here: docs/trackers/README.md lists the paths.")
        await send_answer(send, scope, answer, (*answer.headers, *body.headers(), *cors.headers(headers, origins)))

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
        body: bodies.Body,
    ) -> HttpAnswer:
        method: str = scope["method"] if scope["method"] != "HEAD" else "GET"  # the server leaves the body out
        if method == "OPTIONS":
            return HttpAnswer(status=204)
        if not any(method in route.methods for route in routes):
            return not_allowed(dict.fromkeys(name for route in routes for name in route.methods))
        route, request = routes[0], self._request(method, scope, headers, routes[0].path)
        try:
            try:
                cors.require_allowed(headers, origins, "collector.origins")
                if route.is_secret:
                    self._keys.require_secret(headers.get("authorization", ""))
                if len(routes) == 1:
                    self._keys.require_outer(route.outer_key(request), headers)
                with self._memory.counting() as room:
                    sent = await body.read(self._settings, "collector", room.take)
                    started = time.perf_counter()
                    self._metrics.bytes.inc(len(sent))
                    if len(sent) > (_QUICK_PACKED if "content-encoding" in headers else _QUICK):
                        loop = asyncio.get_running_loop()
                        answer, batch = await loop.run_in_executor(self._slow, self._take, routes, request, sent)
                    else:
                        answer, batch = self._take(routes, request, sent)
            except Refused as refused:
                if isinstance(refused, bodies.TooLarge):  # what is kept of it is long, too
                    loop = asyncio.get_running_loop()
                    answer, batch = await loop.run_in_executor(self._slow, self._refuse, route, request, refused)
                else:
                    answer, batch = self._refuse(route, request, refused)
                await self._land(batch)
                return answer
            await self._land(batch)
            self._metrics.seconds.observe(time.perf_counter() - started)
            return answer
        except SinkDown:
            self._metrics.say_up(False)
            self._metrics.refused.labels(503, "not_durable").inc()
            return _later(problem(503, "not_durable", "Nothing can be stored now: send it again."))
        except ConnectionError:
            return HttpAnswer(status=400)  # nobody reads it

    def _take(self, routes: tuple[DialectRoute, ...], request: Request, sent: bytes) -> tuple[HttpAnswer, RequestBatch]:
        """What a request with its body brings, and the answer once that is durable."""
        route = routes[0]
        try:
            plain = unpack(sent, request.headers.get("content-encoding", ""), self._settings)
            route, request = choose(routes, msgspec.structs.replace(request, body=plain))
            return self._intake.take(route, request)
        except Refused as refused:
            return self._refuse(route, request, refused)

    def _refuse(self, route: DialectRoute, request: Request, refused: Refused) -> tuple[HttpAnswer, RequestBatch]:
        """The tracker's no, and the reject that it leaves: only of somebody who may send, and within the budget."""
        batch = RequestBatch(route.name, request.received_at, (), (), ())
        if refused.status in _RECORDED:
            try:
                batch = self._intake.unread(route, request, _record(request, refused, self._settings.body_bytes))
            except Refused as limited:
                refused = limited
        self._metrics.refused.labels(refused.status, refused.reason).inc()
        answer = route.dialect.refuse(request, refused)
        return (_later(answer) if refused.status in _LATER else answer), batch

    def _request(self, method: str, scope: Scope, headers: dict[str, str], path: str) -> Request:
        """The request before its body."""
        received_at = time.time_ns() // 1_000_000
        asks = client_ip.address((scope.get("client") or ("",))[0], headers, self._proxies)
        is_anonymous = ANONYMOUS in headers
        if self._settings.public_host:
            headers["host"] = self._settings.public_host
        agent = headers.get("user-agent", "")
        if len(agent) > _LONGEST_AGENT:  # each event of a request repeats it
            headers["user-agent"] = agent = agent[:_LONGEST_AGENT]
        return Request(
            method=method,
            path=path,
            query=scope["query_string"].decode("latin-1"),
            headers=headers,
            received_at=received_at,
            token=secrets.token_hex(16),
            nobody=self._nobody,
            limits=self._intake.event_limits,
            ip=None if is_anonymous else address(asks),
            anonymous_id=self._anonymous_ids.of(asks, agent, received_at) if asks and not is_anonymous else None,
        )

    async def _land(self, batch: RequestBatch) -> None:
        """Make what a request brought durable, and count it."""
        if batch.events or batch.rejects:
            await self._sink.write(batch)
            self._metrics.say_up(True)
        if batch.events:
            self._metrics.accept(batch.source, len(batch.events), self._recent.count_known(batch.identities))
        for field in batch.unread:
            self._metrics.unread.labels(batch.source, field).inc()
        for reason in batch.reasons:
            self._metrics.rejected.labels(batch.source, reason).inc()

    async def _health(self, _: Mapping[str, str]) -> HttpAnswer:
        return HttpAnswer(body=b'{"status":"ok"}')

    async def _sink_health(self, _: Mapping[str, str]) -> HttpAnswer:
        try:
            why_lost = await self._sink.probe()
        except SinkDown as down:
            self._metrics.say_up(False)
            return _later(problem(503, "not_durable", str(down)))
        self._metrics.say_up(True)
        said = {"status": "rejects_lost", "message": why_lost} if why_lost else {"status": "ok"}
        return HttpAnswer(body=msgspec.json.encode(said))

    def _operators_page(self, page: Callable[[], HttpAnswer]) -> Callable[[Mapping[str, str]], Awaitable[HttpAnswer]]:
        """The page for who may see it: with write keys, who brings the secret key."""

        async def shown(headers: Mapping[str, str]) -> HttpAnswer:
            try:
                self._keys.require_operator(headers.get("authorization", ""))
            except Refused as refused:
                return problem(refused.status, refused.reason, str(refused))
            return page()

        return shown


def _record(request: Request, refused: Refused, cap: int) -> Reject:
    """The reject of a request that was refused as a whole."""
    body, is_whole = request.body, True
    if isinstance(refused, bodies.TooLarge):
        body, is_whole = refused.head, False
    elif (
        request.method == "GET" and not body
    ):  # what was sent is the address's query: a replay takes it from the payload
        body, request = request.query.encode(), msgspec.structs.replace(request, query="")
    return Reject(
        reason=refused.reason,
        message=str(refused),
        payload=body[:cap].decode("utf-8", "replace"),
        replayable=is_whole and len(body) <= cap,
        request=envelope(request),
    )


def _later(answer: HttpAnswer) -> HttpAnswer:
    return msgspec.structs.replace(answer, headers=(*answer.headers, ("retry-after", _RETRY_SECONDS)))
