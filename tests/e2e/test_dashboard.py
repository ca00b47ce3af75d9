"""The dashboard's pages in a real Chromium: whole without charts, quiet, and with the API's figures."""

import json
import re
import time
from collections.abc import Callable, Iterator
from typing import Any, Final
from urllib.parse import urlsplit

import pytest

from analytics.output import figure_text
from dashboard.pages import PAGES
from dashboard.panels import DashboardPage
from nextclick.definitions.metric import Metric, MetricUnit
from nextclick.lake.paths import Lake, lake_at
from nextclick.landing.writer import SegmentWriter
from nextclick.settings import load
from tests.dashboard_lake import HOSTILE, conf_with_experiment, fill, fill_all
from tests.e2e.browsing import axe_source, chromium, drawn, faults, faults_of_pages
from tests.e2e.dashboard_tour import LOADED, RANGE, WIDTHS, Seen, Visit, dashboard, tour


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """One that served nothing."""
    there = lake_at(tmp_path_factory.mktemp("dashboard"))
    fill(there)
    return there


@pytest.fixture(scope="module")
def link(lake: Lake) -> Iterator[str]:
    with dashboard(lake) as there:
        yield there


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The link to a lake with something for every page."""
    there = lake_at(tmp_path_factory.mktemp("full"))
    fill_all(there)
    with dashboard(there, "--conf-dir", str(conf_with_experiment(tmp_path_factory.mktemp("conf")))) as address:
        yield address


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with dashboard(lake_at(tmp_path_factory.mktemp("empty"))) as there:
        yield there


@pytest.fixture(scope="module")
def open_page() -> Iterator[Callable[..., Any]]:
    with chromium() as opens:
        yield opens


@pytest.fixture(scope="module")
def axe(request: pytest.FixtureRequest) -> str:
    return axe_source(request.config.cache)


@pytest.fixture(scope="module")
def toured(full: str, axe: str, open_page: Callable[..., Any]) -> tuple[Visit, dict[str, Seen]]:
    """Each page of the lake with everything."""
    visit = Visit(open_page(viewport={"width": WIDTHS[0], "height": 900}, color_scheme="light"))
    return visit, tour(visit, full, axe)


def test_axe_finds_nothing_on_any_page(
    toured: tuple[Visit, dict[str, Seen]], axe: str, open_page: Callable[..., Any]
) -> None:
    page = open_page()
    page.set_content("<img src=x>")
    assert faults(page, axe), "it would find something"
    assert {stem: seen.faults for stem, seen in toured[1].items() if seen.faults} == {}


@pytest.mark.parametrize(
    ("of", "pages"),
    [
        ("link", PAGES[::2]),
        ("empty", PAGES[1::2]),
        pytest.param("link", PAGES[1::2], marks=pytest.mark.stress),
        pytest.param("empty", PAGES[::2], marks=pytest.mark.stress),
    ],
    ids=lambda each: each if isinstance(each, str) else "-".join(page.stem for page in each),
)
def test_axe_finds_nothing_where_little_is_to_be_shown(
    of: str, pages: tuple[DashboardPage, ...], request: pytest.FixtureRequest, axe: str, open_page: Callable[..., Any]
) -> None:
    """In the light alone: the lake with everything has every colour."""
    there = request.getfixturevalue(of)
    page = open_page(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    page.goto(there)
    addresses = [f"{there.partition('/?')[0]}/{each.stem}?{RANGE}" for each in pages]
    assert faults_of_pages(page, addresses, axe, dark=False) == []


def test_everything_is_reached_by_the_keyboard_and_shows_that_it_is(full: str, open_page: Callable[..., Any]) -> None:
    page = open_page(viewport={"width": 1280, "height": 900})
    page.goto(full)
    for stem in ("overview", "recommender", "conversion"):
        page.goto(f"{full.partition('/?')[0]}/{stem}?{RANGE}")
        drawn(page)
        wanted = page.evaluate(REACHABLE)
        reached: dict[str, set[str]] = {}
        for _ in range(len(wanted) + 20):  # a day has places of its own for its parts
            page.keyboard.press("Tab")
            number, outline = page.evaluate(FOCUSED)
            reached.setdefault(number, set()).add(outline)
        assert {*wanted} - reached.keys() == set()
        assert {name for name in wanted if reached[name] == {"none"}} == set()


REACHABLE: Final = """() => {
    const all = [...document.querySelectorAll("a[href], button, input:not([type=hidden]), select, summary, [tabindex='0']")];
    const seen = all.filter((each) => each.checkVisibility());
    seen.forEach((each, number) => each.dataset.number = number);
    return seen.map((_, number) => String(number));
}"""
FOCUSED: Final = """() => {
    const there = document.activeElement;
    return [there.dataset.number ?? "", getComputedStyle(there).outlineStyle];
}"""


def test_a_page_is_light_painted_before_charts_are_loaded_and_does_not_shift(
    toured: tuple[Visit, dict[str, Seen]],
) -> None:
    for stem, seen in toured[1].items():
        loaded = seen.loaded
        assert loaded["bytes"] <= 60_000, f"{stem}: {loaded}"
        assert loaded["shift"] == 0, f"{stem}: {loaded}"
        assert loaded["charts"] is None or loaded["charts"] >= loaded["paint"], f"{stem}: {loaded}"


@pytest.mark.stress
def test_a_cold_page_is_painted_within_400_milliseconds(full: str, open_page: Callable[..., Any]) -> None:
    """The best of ten browsers that know nothing of it, since others use the machine as well."""
    paints = []
    for _ in range(10):
        page = open_page(viewport={"width": 1280, "height": 900})
        page.goto(full)
        page.wait_for_timeout(500)
        paints.append(page.evaluate(LOADED)["paint"])
        page.context.close()
    assert min(paints) <= 400, paints


def test_colours_are_chosen_and_kept(full: str, open_page: Callable[..., Any]) -> None:
    visit = Visit(open_page(color_scheme="light"))
    page = visit.page
    page.goto(full)
    ink = "getComputedStyle(document.body).color"
    light = page.evaluate(ink)
    page.select_option("#theme", "dark")
    dark = page.evaluate(ink)
    assert light != dark
    page.click("#to-people")
    page.wait_for_selector("h1:has-text('People')")
    page.reload()
    assert page.evaluate(ink) == dark
    assert page.input_value("#theme") == "dark"
    page.select_option("#theme", "")
    assert page.evaluate(ink) == light
    assert visit.wrong == []


def test_a_filter_is_added_by_its_form(full: str, open_page: Callable[..., Any]) -> None:
    visit = Visit(open_page())
    page = visit.page
    page.goto(full)
    page.click(".filter summary")
    page.select_option("#filter", "channel")
    page.click("#value")
    page.wait_for_selector("#values option[value=email]", state="attached")
    page.fill("#value", "email")
    page.click(".filter button")
    page.wait_for_selector(".filters")
    assert urlsplit(page.url).query == "where=channel%3Demail"
    assert page.inner_text("#tile-visits .value") == "2"
    assert visit.wrong == []


def test_every_page_is_whole_quiet_and_draws_without_a_jump(full: str, toured: tuple[Visit, dict[str, Seen]]) -> None:
    visit, pages = toured
    assert {stem: seen.title for stem, seen in pages.items()} == {each.stem: each.title for each in PAGES}
    assert {stem: (seen.grown, seen.too_wide) for stem, seen in pages.items()} == dict.fromkeys(pages, (0, []))
    assert visit.wrong == []
    assert visit.hosts == {urlsplit(full).netloc}


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
    assert "was never written" in recommender
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
