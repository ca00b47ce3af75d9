"""The dashboard, in a process of its own or in this one, and a Chromium that goes through its pages."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from subprocess import PIPE
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

import uvicorn

from dashboard.app import app
from dashboard.pages import PAGES
from nextclick import ports
from nextclick.lake.paths import Lake
from nextclick.settings import CHECKOUT, load
from nextclick.web import guard
from tests.e2e.browsing import drawn, faults_of_page
from tests.wait import listens, wait_until

RANGE: Final = "from=2026-01-01&to=2026-01-28"
WIDTHS: Final = (1280, 360)


@contextmanager
def dashboard(lake: Lake, *options: str) -> Iterator[str]:
    """Its link."""
    words = ["--lake", str(lake.root), *options, "dashboard", "--port", "0", "--json"]
    command = [sys.executable, "-c", "from cli.main import main; main()", *words]
    with subprocess.Popen(command, cwd=CHECKOUT, stdout=PIPE, stderr=PIPE, text=True) as process:
        assert process.stdout
        try:
            yield json.loads(process.stdout.readline())["dashboard"]
        finally:
            process.terminate()
        _, said = process.communicate(timeout=20)
        assert (process.returncode, said) == (0, "")


@contextmanager
def dashboard_here(lake: Lake) -> Iterator[str]:
    """The link to one in a thread, which makes no answers ahead: half the processor time of a process's start."""
    token, port = guard.new_token(), ports.free(guard.HOST, 0)
    config = uvicorn.Config(
        app(load(lake.root, environ={}), token),
        host=guard.HOST,
        port=port,
        log_level="warning",
        lifespan="off",
        timeout_graceful_shutdown=2,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        wait_until(lambda: listens(port))
        yield f"http://{guard.HOST}:{port}/?token={token}"
    finally:
        server.should_exit = True
        thread.join()


class Visit:
    """A page that remembers what went wrong in it, and whom it called."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.wrong: list[str] = []
        self.hosts: set[str] = set()
        page.on(
            "console", lambda message: self.wrong.append(message.text) if message.type in ("error", "warning") else None
        )
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        page.on("request", lambda request: self.hosts.add(urlsplit(request.url).netloc))

    def height(self) -> int:
        return int(self.page.evaluate("document.body.scrollHeight"))


class Seen(NamedTuple):
    """A page of the dashboard, as it was when it was opened once."""

    title: str
    grown: int
    """Pixels that it became higher by, or lower, while its charts were drawn."""
    loaded: dict[str, Any]
    """What LOADED says."""
    too_wide: list[int]
    """Those of WIDTHS that it does not fit in."""
    faults: list[tuple[str, str]]
    """What axe-core finds in the light and in the dark."""


def tour(visit: Visit, link: str, axe: str) -> dict[str, Seen]:
    """Every page by its stem. Each is opened alone, so that its first paint is its own."""
    address = link.partition("/?")[0]
    visit.page.goto(link)
    visit.page.wait_for_url("**/overview")
    return {each.stem: _look(visit, f"{address}/{each.stem}?{RANGE}", axe) for each in PAGES}


def _look(visit: Visit, address: str, axe: str) -> Seen:
    page = visit.page
    page.goto("about:blank")
    page.goto(address, wait_until="domcontentloaded")
    height = visit.height()
    drawn(page)
    grown, loaded = visit.height() - height, page.evaluate(LOADED)
    too_wide = []
    for width in reversed(WIDTHS):
        page.set_viewport_size({"width": width, "height": 900})
        if not page.evaluate("document.documentElement.scrollWidth <= innerWidth"):
            too_wide.append(width)
    drawn(page)
    return Seen(page.inner_text("h1"), grown, loaded, too_wide, faults_of_page(page, axe))


LOADED: Final = """() => new Promise((done) => {
    const files = performance.getEntriesByType("resource"), [page] = performance.getEntriesByType("navigation");
    const charts = files.find((file) => file.name.includes("echarts"));
    const tell = (paint, shift) => done({
        bytes: page.encodedBodySize + files.filter((file) => file !== charts).reduce((sum, file) => sum + file.encodedBodySize, 0),
        charts: charts ? charts.startTime : null, paint, shift,
    });
    let shift = 0;
    const add = (list) => list.getEntries().forEach((each) => shift += each.value);
    new PerformanceObserver(add).observe({ type: "layout-shift", buffered: true });
    const keep = (list) => {
        const [paint] = list.getEntriesByName("first-contentful-paint");
        if (paint) setTimeout(() => tell(paint.startTime, shift));  // observers are told in one go
    };
    new PerformanceObserver(keep).observe({ type: "paint", buffered: true });
})"""
"""Bytes of a page and its files without ECharts; when that began to load, and the page was painted, in milliseconds; what moved."""
