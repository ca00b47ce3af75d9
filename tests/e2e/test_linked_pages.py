"""A page by its link in a real Chromium without the token: whole, quiet, and with nothing that it may not open."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from dashboard.access import PageAccess
from nextclick.lake.paths import Lake, lake_at
from nextclick.landing.writer import SegmentWriter
from nextclick.settings import load
from tests.dashboard_lake import fill
from tests.e2e.browsing import axe_source, chromium, drawn, faults
from tests.e2e.dashboard_tour import RANGE, Visit, dashboard


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    there = lake_at(tmp_path_factory.mktemp("linked"))
    fill(there)
    return there


@pytest.fixture(scope="module")
def address(lake: Lake) -> Iterator[str]:
    with dashboard(lake) as link:
        yield link.partition("/?")[0]


@pytest.fixture(scope="module")
def open_page() -> Iterator[Callable[..., Any]]:
    with chromium() as opens:
        yield opens


def linked(lake: Lake, address: str) -> str:
    return PageAccess(lake).sign(address, int(time.time()) + 600)


@pytest.mark.parametrize("stem", ["overview", "people", "conversion"])
def test_it_draws_all_and_asks_for_nothing_that_is_refused(
    lake: Lake, address: str, open_page: Callable[..., Any], request: pytest.FixtureRequest, stem: str
) -> None:
    visit, refused = Visit(open_page(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")), []
    page = visit.page
    page.on("response", lambda answer: refused.append(answer.url) if answer.status >= 400 else None)
    page.goto(address + linked(lake, f"/{stem}?{RANGE}"))
    drawn(page)
    assert "this link opens this page until" in page.inner_text("#shared")
    assert page.query_selector("nav, form:visible, .tabs:visible") is None
    assert faults(page, axe_source(request.config.cache)) == []
    assert (refused, visit.wrong) == ([], [])


def test_the_live_page_moves_by_its_link(lake: Lake, address: str, open_page: Callable[..., Any]) -> None:
    page = open_page()
    page.goto(address + linked(lake, "/live"))
    with SegmentWriter(lake.landing, load(lake.root, environ={}).landing) as writer:
        writer.append(b'{"event":"page_view","site":"shop","visitor_id":"a"}', "plain", int(time.time() * 1000))
        writer.sync()
        page.wait_for_selector("#live .tile", timeout=10_000)
