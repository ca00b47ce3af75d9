"""The dashboard as an ASGI app: pages, the JSON and CSV of their reports, and the files that they load."""

import asyncio
import io
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final

from markupsafe import Markup
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import (
    HTMLResponse,
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from analytics.answers import Answer, Reports
from analytics.catalog import report as named
from analytics.comparison import Comparison, compare
from analytics.output import as_json, write_csv
from analytics.people.by_audience import known_audience
from dashboard import assets
from dashboard.access import METRICS, PageAccess
from dashboard.address import PageAddress, PageSeal, compared, view
from dashboard.ahead import PagesAhead
from dashboard.filters import common_values
from dashboard.pages import PAGES
from dashboard.panels import DashboardPage
from dashboard.recent import RecentPages
from dashboard.rendering import PageRenderer
from dashboard.watching.metrics import CONTENT_TYPE, LakeMetrics
from nextclick.errors import LakeError, UsageError
from nextclick.lake.memory import TableMemory
from nextclick.settings import Settings
from nextclick.web import guard
from nextclick.web.signed_links import unsigned

_CONTENT_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
"""Styles inline: bars of the tables, and what ECharts draws."""
_HEADERS: Final = {
    "content-security-policy": _CONTENT_POLICY,
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
_LIVE_SECONDS: Final = 1.0
_TABLE_BYTES: Final = 32 * 2**20
"""Of small tables, held whole: of others, their answers are kept."""
_DATABASE_BYTES: Final = 128 * 2**20
_FOR_GOOD: Final = "private, max-age=31536000, immutable"


class Dashboard:
    """What the handlers share."""

    def __init__(self, settings: Settings, pages: PageRenderer, access: PageAccess, ahead: PagesAhead) -> None:
        self.settings, self.pages, self.access, self._ahead = settings, pages, access, ahead
        self.reports, self._recent = pages.reports, RecentPages()

    def view(self, request: Request) -> PageAddress:
        until = self.access.end(request)
        seal = None if until is None else PageSeal(partial(self.access.sign, until=until), until)
        return view(self.reports, request.url.path, unsigned(request.query_params.multi_items()), seal)

    def show(self, request: Request, page: DashboardPage) -> Response:
        """A page with its answers; what the form for a filter says leads to the address that has it."""
        if where := self.view(request).wanted_filter:
            return RedirectResponse(where, 303)
        return HTMLResponse(self._recent.get(str(request.url), lambda: self._page(request, page)))

    def _page(self, request: Request, page: DashboardPage) -> str:
        address = self.view(request)
        self._ahead.want(page.stem, address.range)
        return self.pages.page(page, address)

    def refuse(self, request: Request, error: Exception) -> Response:
        """What was wrong with an address, or with the lake."""
        status = 400 if isinstance(error, UsageError) else 500
        if request.url.path.startswith(("/api/", "/csv/")):
            return PlainTextResponse(str(error), status)
        return HTMLResponse(self.pages.refused(str(error)), status)


def app(settings: Settings, token: str, reports: Reports | None = None) -> Starlette:
    """The app, for whoever brings the token."""
    access, metrics = PageAccess(settings.lake), LakeMetrics(settings)
    reports = reports or Reports(
        TableMemory(settings.lake, _TABLE_BYTES, _DATABASE_BYTES),
        settings.analytics,
        leave_out_suspects=settings.anomalies.leave_out_suspects,
    )
    pages = PageRenderer(settings, reports)
    ahead = PagesAhead(pages, PAGES)
    application = Starlette(
        lifespan=partial(_running, ahead),
        routes=[
            Route("/", lambda _: RedirectResponse(f"/{PAGES[0].stem}")),
            Route("/health", lambda _: PlainTextResponse("ok")),
            Route(METRICS, lambda _: Response(metrics.text(), media_type=CONTENT_TYPE)),
            Route("/static/{digest}/{name}", _static),
            Route("/api/{report}", _json),
            Route("/csv/{report}", _csv),
            Route("/values/{page}/{dimension}", _values),
            Route("/live/stream", _live),
            *(Route(f"/{page.stem}", _shows(page)) for page in PAGES),
        ],
        middleware=[
            Middleware(Headers),
            *guard.middleware(token, "dashboard", access.opens),
            Middleware(GZipMiddleware, compresslevel=5),
        ],
        exception_handlers={UsageError: _refused, LakeError: _refused},
    )
    application.state.dashboard = Dashboard(settings, pages, access, ahead)
    return application


@asynccontextmanager
async def _running(ahead: PagesAhead, _: Starlette) -> AsyncIterator[None]:
    """While the server runs, pages are made ahead."""
    ahead.start()
    yield
    await run_in_threadpool(ahead.stop)


class Headers:
    """Adds what each answer says of itself: nothing of another origin is loaded, and no page may hold ours."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                there = {name for name, _ in message["headers"]}
                usual = {**_HEADERS, "cache-control": "no-store"}
                message["headers"] += [
                    (name.encode(), value.encode()) for name, value in usual.items() if name.encode() not in there
                ]
            await send(message)

        await self.app(scope, receive, with_headers)


def _of(request: Request) -> Dashboard:
    there: Dashboard = request.app.state.dashboard
    return there


def _shows(page: DashboardPage) -> Any:
    def handler(request: Request) -> Response:
        return _of(request).show(request, page)

    return handler


async def _refused(request: Request, error: Exception) -> Response:
    return _of(request).refuse(request, error)


async def _live(request: Request) -> Response:
    """The Live page anew each time, as server-sent events; by a link until its end."""
    there = _of(request)
    is_linked = there.access.end(request) is not None

    async def events() -> AsyncIterator[str]:
        while not await request.is_disconnected() and not (is_linked and there.access.end(request) is None):
            text = await run_in_threadpool(there.pages.live)
            yield "".join(f"data: {line}\n" for line in text.splitlines() if line.strip()) + "\n"
            await asyncio.sleep(_LIVE_SECONDS)

    return StreamingResponse(events(), media_type="text/event-stream")


def _static(request: Request) -> Response:
    asset = assets.served(**request.path_params)
    if asset is None:
        return PlainTextResponse("There is no such file.", 404)
    return Response(asset.content, media_type=asset.kind, headers={"cache-control": _FOR_GOOD})


def _values(request: Request) -> Response:
    """Values of a dimension to choose a filter from, as options of a list."""
    there, words = _of(request), request.path_params
    page = next((page for page in PAGES if page.stem == words["page"]), None)
    if page is None or words["dimension"] not in page.filters:
        return PlainTextResponse("There is no such filter.", 404)
    values = common_values(there.reports, there.view(request), page, words["dimension"])
    return HTMLResponse("".join(map(Markup('<option value="{}">').format, values)))


def _json(request: Request) -> Response:
    return JSONResponse(as_json(*_answered(request)))


def _csv(request: Request) -> Response:
    file = io.StringIO()
    answer, comparison = _answered(request)
    write_csv(answer, comparison, file)
    name = f'attachment; filename="{named(request.path_params["report"]).name}.csv"'
    return Response(file.getvalue(), media_type="text/csv; charset=utf-8", headers={"content-disposition": name})


def _answered(request: Request) -> tuple[Answer, Comparison | None]:
    """A report in the words of `nextclick report`."""
    reports, words = _of(request).reports, request.query_params
    names = [tuple(filter(None, words.get(key, "").split(","))) for key in ("by", "figures")]
    report = named(request.path_params["report"])
    answer = reports.answer(
        reports.question(
            report,
            words.get("from"),
            words.get("to"),
            names[0],
            _where(request),
            names[1],
            words.get("unit") == "person",
            known_audience(_of(request).settings, words.get("audience", "")),
        )
    )
    return answer, compare(reports, answer, compared(words["compare"])) if words.get("compare") else None


def _where(request: Request) -> Sequence[str]:
    return [text for text in request.query_params.getlist("where") if text]
