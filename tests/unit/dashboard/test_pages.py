"""The dashboard's pages over a small lake and an empty one: all answer, and say what the reports say."""

import csv
import io
import re
from datetime import UTC, datetime
from html import unescape
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from analytics.answers import Reports
from analytics.catalog import REPORTS, report
from analytics.output import as_json, figure_text
from dashboard.app import app
from dashboard.pages import PAGES
from dashboard.panels import DashboardPage
from nextclick.lake import sql
from nextclick.lake.memory import TableMemory
from nextclick.settings import Settings, load
from tests.dashboard_lake import HOSTILE, LAST, fill
from tests.table_rows import write

TOKEN = "t" * 43
NOON = datetime(2026, 1, 29, 12, tzinfo=UTC)
ALL = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)


def browser(settings: Settings) -> TestClient:
    reports = Reports(TableMemory(settings.lake), settings.analytics, NOON)
    return TestClient(app(settings, TOKEN, reports), "http://127.0.0.1", headers={"Authorization": f"Bearer {TOKEN}"})


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    settings = load(tmp_path_factory.mktemp("lake"), profile="test", environ={})
    fill(settings.lake)
    return settings


@pytest.fixture(scope="module")
def pages(lake: Settings) -> TestClient:
    return browser(lake)


def link_of(page: str, kind: str) -> str:
    """Of the channels."""
    return unescape(re.findall(rf'href="(/{kind}/traffic\?[^"]*by=channel[^"]*)"', page)[0])


def tiles(page: str) -> dict[str, str]:
    return {name: unescape(text) for name, text in re.findall(r'data-figure="([^"]+)">([^<]*)<', page)}


@ALL
def test_it_answers_over_a_lake_with_rows(pages: TestClient, page: DashboardPage) -> None:
    answer = pages.get(f"/{page.stem}")
    assert answer.status_code == 200, answer.text
    assert f"<h1>{page.title}</h1>" in answer.text
    assert HOSTILE not in answer.text
    assert not re.findall(r"<a [^>]*>\s*</a>", answer.text)


@ALL
def test_of_an_empty_lake_it_shows_no_figure_and_no_0(tmp_path: Path, page: DashboardPage) -> None:
    answer = browser(load(tmp_path, profile="test", environ={})).get(f"/{page.stem}")
    assert answer.status_code == 200, answer.text
    assert {*tiles(answer.text).values()} <= {"–"}
    assert not re.findall(r'<td class="number">(?!–)[^<]', answer.text)


def test_no_report_is_without_a_page() -> None:
    assert {each.name for each in REPORTS} - {name for page in PAGES for name in page.reports} == set()


def test_the_panels_of_a_page_have_addresses_of_their_own() -> None:
    for page in PAGES:
        stems = [panel.stem for panel in page.panels]
        assert len(stems) == len({*stems})


def test_the_figures_are_those_of_the_report(pages: TestClient, lake: Settings) -> None:
    reports = Reports(TableMemory(lake.lake), lake.analytics, NOON)
    answer = reports.answer(reports.question(report("traffic")))
    assert (answer.question.last, answer.whole[:2]) == (LAST, (4, 3))
    shown = tiles(pages.get("/overview").text)
    for metric, value in zip(answer.question.metrics, answer.whole, strict=True):
        assert shown.get(metric.name, figure_text(metric, value)) == figure_text(metric, value)
    assert (shown["visits"], shown["visitors"], shown["bounce_rate"]) == ("4", "3", "25.0%")
    assert shown["revenue EUR"] == "40.00"


def test_an_earlier_range_stands_beside(pages: TestClient) -> None:
    assert "from 1</span>" in pages.get("/overview").text
    assert "from 1</span>" not in pages.get("/overview?compare=none").text
    assert "from –" not in pages.get("/overview?range=7d").text, "in the week before was nobody"


def test_filters_and_groupings_stand_in_the_address(pages: TestClient) -> None:
    text = pages.get("/overview", params={"where": "channel=email", "by.channels": "source"}).text
    assert tiles(text)["visits"] == "2"
    assert "Not filtered by channel=email: the report pages knows no such value." in text
    assert re.search(r'id="channels-2"[^>]*aria-current="true">Source<', text)
    assert tiles(pages.get("/overview?from=2026-01-25&to=2026-01-25").text)["visits"] == "1"
    assert tiles(pages.get("/overview?range=7d&figure=views").text)["visits"] == "4"


def test_json_csv_and_sql_of_a_table_are_the_report(pages: TestClient, lake: Settings) -> None:
    text = pages.get("/overview").text
    links = {kind: link_of(text, kind) for kind in ("api", "csv")}
    reports = Reports(TableMemory(lake.lake), lake.analytics, NOON)
    figures = ("visits", "visitors", "bounce_rate")
    answer = reports.answer(reports.question(report("traffic"), by=("channel",), figures=figures))
    there = pages.get(links["api"]).json()
    assert there["rows"] == as_json(answer, None)["rows"]
    lines = list(csv.reader(io.StringIO(pages.get(links["csv"]).text)))
    assert [line[0] for line in lines] == ["channel", "email", HOSTILE, "direct"]
    query = next(
        unescape(each)
        for each in re.findall(r"<pre[^>]*>([^<]*)</pre>", text)
        if "channel" in each and "bounces" in each
    )
    assert len(sql.ask(lake.lake, query)[1]) >= 3


@pytest.mark.parametrize(
    "words",
    [
        "range=8w", "compare=later", "from=yesterdays", "where=x", "by.channels=nothing", "from=3d&to=9d", "to=0001-01-02",
        "from=1971-01-01", "to=9999-12-31",
    ],
)  # fmt: skip
def test_words_that_mean_nothing_are_refused_in_words(pages: TestClient, words: str) -> None:
    answer = pages.get(f"/overview?{words}")
    assert answer.status_code == 400
    assert 'role="alert"' in answer.text
    for path in ("nothing", "traffic?compare=later", "traffic?from=0001-01-01&to=0001-02-01&compare=previous"):
        assert pages.get(f"/api/{path}").status_code == 400


def test_a_table_that_cannot_be_read_costs_its_panel_alone(tmp_path: Path) -> None:
    settings = load(tmp_path, profile="test", environ={})
    fill(settings.lake)
    for file in Path(settings.lake.table("gold.page_daily")).rglob("*.parquet"):
        file.write_bytes(b"no Parquet")
    write(settings.lake, "silver.events", [{}])
    for file in Path(settings.lake.table("silver.events")).rglob("*.parquet"):
        file.write_bytes(b"no Parquet")
    visitor = browser(settings)
    assert "docs/jobs/recovery.md" in visitor.get("/conversion").text
    text = visitor.get("/overview").text
    assert "The report pages cannot be counted" in text
    assert tiles(text)["visits"] == "4"


def test_a_funnel_and_paths_that_cannot_be_counted_say_why_beside_their_form(pages: TestClient) -> None:
    assert "A funnel has 2 to 10 steps" in pages.get("/conversion", params=[("step", "a"), *[("step", "b")] * 10]).text
    assert 'value="view_item["' in pages.get("/conversion?step=view_item%5B&step=purchase").text
    assert 'role="alert"' in pages.get("/behaviour?anchor=%5B%5B").text


def test_who_does_not_bring_the_token_sees_nothing(lake: Settings) -> None:
    visitor = TestClient(app(lake, TOKEN), "http://127.0.0.1")
    for path in ("/overview", "/api/traffic", "/csv/traffic", "/health"):
        assert visitor.get(path).status_code == 401
    opened = visitor.get(f"/?token={TOKEN}", follow_redirects=False)
    assert opened.status_code == 303
    assert "SameSite=strict" in opened.headers["set-cookie"]
    assert visitor.get("/overview").status_code == 200
    assert visitor.get("/overview", headers={"host": "evil.example"}).status_code == 400
    assert visitor.get("/overview", headers={"origin": "https://evil.example"}).status_code == 403


def test_pages_say_that_they_load_nothing_of_others_and_are_not_kept(pages: TestClient) -> None:
    headers = pages.get("/overview").headers
    assert headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'")
    assert headers["cache-control"] == "no-store"
    style = re.search(r'href="(/static/[^"]+\.css)"', pages.get("/overview").text)
    assert style
    assert "immutable" in pages.get(style[1]).headers["cache-control"]
