"""The dashboard's pages in a real Chromium: whole without charts, quiet, and with the API's figures."""

import json
import re
import time
from collections.abc import Iterator, Sequence
from typing import Final
from urllib.parse import urlsplit

import pytest

from analytics.output import figure_text
from dashboard.access import PageAccess
from dashboard.pages import PAGES
from dashboard.panels import DashboardPage
from nextclick.definitions.metric import Metric, MetricUnit
from nextclick.lake.paths import Lake, lake_at
from nextclick.landing.writer import SegmentWriter
from nextclick.settings import load
from tests.dashboard_lake import HOSTILE, conf_with_experiment, fill, fill_all
from tests.e2e.browsing import Browser, Open, axe_source, drawn, faults, faults_of_pages, serving
from tests.e2e.dashboard_tour import LOADED, RANGE, WIDTHS, Seen, Visit, dashboard, dashboard_here, tour

STRESS: Final = pytest.mark.stress


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """One that served nothing."""
    there = lake_at(tmp_path_factory.mktemp("dashboard"))
    fill(there)
    return there


@pytest.fixture(scope="module")
def link(lake: Lake) -> Iterator[str]:
    with dashboard_here(lake) as there:
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
    with dashboard_here(lake_at(tmp_path_factory.mktemp("empty"))) as there:
        yield there


@pytest.fixture(scope="module")
def axe(request: pytest.FixtureRequest) -> str:
    return axe_source(request.config.cache)


@pytest.fixture(scope="module")
def toured(full: str, axe: str, browser: Browser) -> tuple[Visit, dict[str, Seen]]:
    """Each page of the lake with everything."""
    size = {"width": WIDTHS[0], "height": 900}
    visit = Visit(browser.open(viewport=size, reduced_motion="reduce"))
    return visit, tour(visit, full, axe)


def test_axe_finds_nothing_on_any_page(toured: tuple[Visit, dict[str, Seen]], axe: str, open_page: Open) -> None:
    page = open_page()
    page.set_content("<img src=x>")
    assert faults(page, axe), "it would find something"
    assert {stem: seen.faults for stem, seen in toured[1].items() if seen.faults} == {}


LINKED: Final = ("overview", "people", "conversion")
"""What axe sees of these where little is to be shown, it sees by their links."""


@pytest.mark.parametrize(
    ("of", "pages"),
    [
        ("link", [page for page in PAGES[::2] if page.stem not in LINKED]),
        ("empty", PAGES[1::2]),
        pytest.param("link", [page for page in PAGES if page in PAGES[1::2] or page.stem in LINKED], marks=STRESS),
        pytest.param("empty", PAGES[::2], marks=STRESS),
    ],
    ids=lambda each: each if isinstance(each, str) else "-".join(page.stem for page in each),
)
def test_axe_finds_nothing_where_little_is_to_be_shown(
    of: str, pages: Sequence[DashboardPage], request: pytest.FixtureRequest, axe: str, open_page: Open
) -> None:
    """In the light alone: the lake with everything has every colour."""
    there = request.getfixturevalue(of)
    page = open_page(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    page.goto(there)
    addresses = [f"{there.partition('/?')[0]}/{each.stem}?{RANGE}" for each in pages]
    assert faults_of_pages(page, addresses, axe, dark=False) == []


def linked(lake: Lake, link: str, path: str) -> str:
    """The address of a page by a link of its own."""
    return link.partition("/?")[0] + PageAccess(lake).sign(path, int(time.time()) + 600)


@pytest.mark.parametrize("stem", LINKED)
def test_a_page_by_its_link_draws_all_and_asks_for_nothing_that_is_refused(
    stem: str, lake: Lake, link: str, axe: str, open_page: Open
) -> None:
    """In a browser without the token: whole, quiet, and with nothing that it may not open."""
    visit, refused = Visit(open_page(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")), list[str]()
    page = visit.page
    page.on("response", lambda answer: refused.append(answer.url) if answer.status >= 400 else None)
    page.goto(linked(lake, link, f"/{stem}?{RANGE}"))
    drawn(page)
    assert "this link opens this page until" in page.inner_text("#shared")
    assert page.query_selector("nav, form:visible, .tabs:visible") is None
    assert faults(page, axe) == []
    assert (refused, visit.wrong) == ([], [])


def test_everything_is_reached_by_the_keyboard_and_shows_that_it_is(full: str, open_page: Open) -> None:
    page = open_page(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    page.goto(full)
    for stem in ("overview", "recommender", "conversion"):
        page.goto(f"{full.partition('/?')[0]}/{stem}?{RANGE}")
        drawn(page)
        wanted = page.evaluate(REACHABLE)
        for _ in range(len(wanted) + 20):  # a day has places of its own for its parts
            page.keyboard.press("Tab")
        reached: dict[str, set[str]] = {}
        for number, outline in page.evaluate("focused"):
            reached.setdefault(number, set()).add(outline)
        assert {*wanted} - reached.keys() == set()
        assert {name for name in wanted if reached[name] == {"none"}} == set()


REACHABLE: Final = """() => {
    const all = [...document.querySelectorAll("a[href], button, input:not([type=hidden]), select, summary, [tabindex='0']")];
    const seen = all.filter((each) => each.checkVisibility());
    seen.forEach((each, number) => each.dataset.number = number);
    window.focused = [];
    const keep = ({ target }) => focused.push([target.dataset.number ?? "", getComputedStyle(target).outlineStyle]);
    document.addEventListener("focusin", keep);
    return seen.map((_, number) => String(number));
}"""
"""Numbers what can be reached; from now on `focused` gathers what is, and how it shows that it is."""


def test_a_page_is_light_painted_before_charts_are_loaded_and_does_not_shift(
    toured: tuple[Visit, dict[str, Seen]],
) -> None:
    for stem, seen in toured[1].items():
        loaded = seen.loaded
        assert loaded["bytes"] <= 60_000, f"{stem}: {loaded}"
        assert loaded["shift"] == 0, f"{stem}: {loaded}"
        assert loaded["charts"] is None or loaded["charts"] >= loaded["paint"], f"{stem}: {loaded}"


def test_a_page_of_which_half_has_come_is_not_painted(link: str, open_page: Open) -> None:
    page = open_page()
    page.goto(link)
    html = page.evaluate("fetch('/quality').then((answer) => answer.text())")
    assert html.count("<tr") > 20
    with serving() as site:
        address = site.put("/quality", html)
        site.slow.add("/quality")
        page.goto(address)
        loaded = page.evaluate(LOADED)
    assert loaded["paint"] >= 300
    assert loaded["shift"] == 0


@STRESS
def test_a_cold_page_is_painted_within_400_milliseconds(full: str, browser: Browser) -> None:
    """The best of ten browsers that know nothing of it, since others use the machine as well."""
    paints = []
    for _ in range(10):
        page = browser.open(viewport={"width": 1280, "height": 900})
        page.goto(full)
        page.wait_for_timeout(500)
        paints.append(page.evaluate(LOADED)["paint"])
        page.context.close()
    assert min(paints) <= 400, paints


def test_colours_are_chosen_and_kept(full: str, open_page: Open) -> None:
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


def test_a_filter_is_added_by_its_form(full: str, open_page: Open) -> None:
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


def test_what_a_page_says_is_what_its_api_says(link: str, open_page: Open) -> None:
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


def test_days_figures_filters_and_pages_are_a_click_away_and_stand_in_the_address(link: str, open_page: Open) -> None:
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


def test_without_scripts_everything_but_charts_is_there(link: str, open_page: Open) -> None:
    page = open_page(java_script_enabled=False)
    page.goto(link)
    assert page.inner_text("#tile-visits .value") == "4"


def test_what_arrives_moves_the_live_page_and_that_of_a_link(link: str, lake: Lake, open_page: Open) -> None:
    visit, by_link = Visit(open_page()), open_page()
    page = visit.page
    page.goto(link)
    page.goto(f"{link.partition('/?')[0]}/live")
    by_link.goto(linked(lake, link, "/live"))
    assert "Nothing arrived" in page.inner_text("#live")
    with SegmentWriter(lake.landing, load(lake.root, environ={}).landing) as writer:
        payload = json.dumps({"event": "page_view", "site": "shop", "visitor_id": "a", "page_url": HOSTILE}).encode()
        writer.append(payload, "plain", int(time.time() * 1000))
        writer.sync()
        page.wait_for_selector("#live .tile", timeout=10_000)
        by_link.wait_for_selector("#live .tile", timeout=10_000)
    assert page.inner_text("#live table") == f"Pages\tEvents\n{HOSTILE}\t1"
    assert visit.wrong == []
