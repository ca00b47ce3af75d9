"""The dashboard's pages in a real Chromium: whole without charts, quiet, and with the API's figures."""

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from analytics.output import figure_text
from dashboard.pages import PAGES
from nextclick.definitions.metric import Metric, MetricUnit
from nextclick.lake.paths import Lake, lake_at
from nextclick.landing.writer import SegmentWriter
from nextclick.settings import CHECKOUT, load
from tests.dashboard_lake import HOSTILE, fill
from tests.e2e.browsing import chromium

RANGE = "from=2026-01-01&to=2026-01-28"


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    there = lake_at(tmp_path_factory.mktemp("dashboard"))
    fill(there)
    return there


@pytest.fixture(scope="module")
def link(lake: Lake) -> Iterator[str]:
    command = [
        sys.executable,
        "-c",
        "from cli.main import main; main()",
        "--lake",
        str(lake.root),
        "dashboard",
        "--port",
        "0",
        "--json",
    ]
    with subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        yield json.loads(process.stdout.readline())["dashboard"]
        process.terminate()
        assert process.wait(20) == 0


@pytest.fixture(scope="module")
def open_page() -> Iterator[Callable[..., Any]]:
    with chromium() as opens:
        yield opens


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


def test_every_page_is_whole_quiet_and_draws_without_a_jump(link: str, open_page: Callable[..., Any]) -> None:
    address = link.partition("/?")[0]
    visit = Visit(open_page(viewport={"width": 1280, "height": 900}))
    page = visit.page
    page.goto(link)
    page.wait_for_url("**/overview")
    for each in PAGES:
        page.goto(f"{address}/{each.stem}?{RANGE}", wait_until="domcontentloaded")
        height = visit.height()
        assert page.inner_text("h1") == each.title
        for chart in page.query_selector_all(".chart"):
            chart.wait_for_selector("svg")
        assert visit.height() == height
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert visit.wrong == []
    assert visit.hosts == {urlsplit(link).netloc}


def test_what_a_page_says_is_what_its_api_says(link: str, open_page: Callable[..., Any]) -> None:
    address = link.partition("/?")[0]
    page = open_page()
    page.goto(link)
    page.goto(f"{address}/overview?{RANGE}")
    there = page.request.get(f"{address}/api/traffic?{RANGE}").json()
    units = {column["name"]: column.get("unit") for column in there["columns"]}
    tiles = {tile.get_attribute("data-figure"): tile.inner_text() for tile in page.query_selector_all("a.tile .value")}
    assert tiles == {
        name: figure_text(Metric(name, "", "", MetricUnit(units[name])), there["total"][name]) for name in tiles
    }
    assert tiles["visits"] == "4"
    recommender = page.inner_text("section:has(#recommender)")
    assert "No rows" in recommender
    assert not re.search(r"\b0\b", recommender)


def test_days_figures_filters_and_pages_are_a_click_away_and_stand_in_the_address(
    link: str, open_page: Callable[..., Any]
) -> None:
    visit = Visit(open_page(viewport={"width": 360, "height": 740}, color_scheme="dark"))
    page = visit.page
    page.goto(link)
    page.click("#tile-views")
    page.wait_for_selector("#tile-views[aria-current]")
    page.click("text=email")
    page.wait_for_selector(".filters")
    page.click("#range-7d")
    page.wait_for_selector("#range-7d[aria-current]")
    assert urlsplit(page.url).query == "figure=views&where=channel%3Demail&range=7d"
    assert page.inner_text("#tile-visits .value") == "2"
    page.click("#to-people")
    page.wait_for_selector("h1:has-text('People')")
    assert urlsplit(page.url).query == "where=channel%3Demail&range=7d"
    page.go_back()
    page.wait_for_selector("#range-7d[aria-current]")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert visit.wrong == []


def test_without_scripts_everything_but_charts_is_there(link: str, open_page: Callable[..., Any]) -> None:
    page = open_page(java_script_enabled=False)
    page.goto(link)
    assert page.inner_text("#tile-visits .value") == "4"


def test_what_arrives_moves_the_live_page(link: str, lake: Lake, open_page: Callable[..., Any]) -> None:
    visit = Visit(open_page())
    page = visit.page
    page.goto(link)
    page.goto(f"{link.partition('/?')[0]}/live")
    assert "Nothing arrived" in page.inner_text("#live")
    with SegmentWriter(lake.landing, load(lake.root, environ={}).landing) as writer:
        payload = json.dumps({"event": "page_view", "site": "shop", "visitor_id": "a", "page_url": HOSTILE}).encode()
        writer.append(payload, "plain", int(time.time() * 1000))
        writer.sync()
        page.wait_for_selector("#live .tile", timeout=6_000)
    assert page.inner_text("#live table") == f"Pages\tEvents\n{HOSTILE}\t1"
    assert visit.wrong == []
