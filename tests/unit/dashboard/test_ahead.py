"""What pages ask as they open is answered before somebody asks; what somebody asked again lies in memory."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from analytics import funnel, paths
from analytics.answers import Reports
from dashboard.address import PageAddress
from dashboard.ahead import PagesAhead
from dashboard.app import app
from dashboard.pages import EVENTS, LIVE, OVERVIEW, PAGES
from dashboard.panels import DashboardPage
from dashboard.rendering import PageRenderer
from nextclick.lake.memory import TableMemory
from nextclick.settings import Settings, load
from tests.dashboard_lake import VISITS, fill
from tests.table_rows import write
from tests.wait import wait_until

TOKEN = "t" * 43
NOON = datetime(2026, 1, 29, 12, tzinfo=UTC)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = load(tmp_path, profile="test", environ={})
    fill(settings.lake)
    return settings


def renderer(settings: Settings) -> PageRenderer:
    return PageRenderer(settings, Reports(TableMemory(settings.lake), settings.analytics, NOON))


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Reports that were counted, one entry a pass."""
    passes, counted = list[str](), Reports._counted

    def seen(self: Reports, database: Any, questions: Any) -> Any:
        passes.append(questions[0].report.name)
        return counted(self, database, questions)

    monkeypatch.setattr(Reports, "_counted", seen)
    return passes


def test_pages_are_counted_ahead_and_anew_where_a_table_moved(settings: Settings, passes: list[str]) -> None:
    reports = Reports(TableMemory(settings.lake), settings.analytics, NOON)
    ahead = PagesAhead(
        PageRenderer(settings, reports),
        [page for page in PAGES if page.stem in ("overview", "people", "conversion")],
    )
    ahead.round()
    assert {"traffic", "retention_week", "pages"} <= {*passes}
    passes.clear()
    client = TestClient(app(settings, TOKEN, reports), "http://127.0.0.1", headers={"Authorization": f"Bearer {TOKEN}"})
    for page in ("overview", "people"):
        assert client.get(f"/{page}").status_code == 200
    assert {*passes} <= {"freshness"}, "the age of tables is of now"
    write(settings.lake, "gold.visits", [VISITS[0] | {"session_id": "new"}])
    ahead.want("conversion", "7d")
    passes.clear()
    ahead.round()
    assert {*passes} == {"traffic", "revenue"}, "of what is looked at, and of tables that moved, alone"
    passes.clear()
    client.get("/conversion?range=7d")
    assert passes == []


def test_the_ranges_that_pages_link_are_counted_ahead_and_so_are_funnels_and_paths(
    settings: Settings, passes: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    reports = Reports(TableMemory(settings.lake), settings.analytics, NOON)
    looked_at = ("behaviour", "conversion")
    PagesAhead(PageRenderer(settings, reports), [page for page in PAGES if page.stem in looked_at]).round()
    passes.clear()
    for journey in (funnel, paths):
        monkeypatch.setattr(journey, "answer", None)  # whoever counted one now would fail
    client = TestClient(app(settings, TOKEN, reports), "http://127.0.0.1", headers={"Authorization": f"Bearer {TOKEN}"})
    for page in looked_at:
        for range_ in ("7d", "28d", "90d"):
            assert client.get(f"/{page}?range={range_}").status_code == 200
    assert passes == []
    with pytest.raises(TypeError):  # a year is counted for who asks
        client.get("/conversion?range=365d")


def test_a_server_begins_with_it_and_goes_on_while_somebody_looks(settings: Settings, passes: list[str]) -> None:
    ahead = PagesAhead(renderer(settings), PAGES[:1], pause=0.0)
    ahead.start()
    wait_until(lambda: "traffic" in passes)
    write(settings.lake, "gold.visits", [VISITS[0] | {"session_id": "new"}])
    passes.clear()
    ahead.want("overview", "28d")
    wait_until(lambda: "traffic" in passes)
    ahead.stop()


def test_a_table_that_cannot_be_read_ends_nothing(settings: Settings) -> None:
    for file in Path(settings.lake.table("gold.visits"), "_delta_log").iterdir():
        file.write_bytes(b"no log")
    PagesAhead(renderer(settings), PAGES).round()


def test_a_page_that_fails_keeps_no_other_from_being_made(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    tried, page = list[str](), PageRenderer.page

    def seen(self: PageRenderer, one: DashboardPage, address: PageAddress) -> str:
        tried.append(one.stem)
        return str(1 // 0) if one.stem == "overview" else page(self, one, address)

    monkeypatch.setattr(PageRenderer, "page", seen)
    PagesAhead(renderer(settings), [OVERVIEW, EVENTS, LIVE]).round()
    assert tried == ["overview", "events"] * 3, "of three ranges; Live is of now"


def test_a_funnel_is_counted_once_until_events_come(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    counted, answer = list[Any](), funnel.answer

    def seen(*words: Any) -> Any:
        counted.append(words)
        return answer(*words)

    monkeypatch.setattr(funnel, "answer", seen)
    reports = Reports(TableMemory(settings.lake), settings.analytics, NOON)
    client = TestClient(app(settings, TOKEN, reports), "http://127.0.0.1", headers={"Authorization": f"Bearer {TOKEN}"})
    pages = [client.get(f"/conversion?figure={figure}").text for figure in ("orders", "carts")]
    assert len(counted) == 1
    assert all("view_item" in page for page in pages)
    write(settings.lake, "silver.events", [{}])
    client.get("/conversion?figure=searches")
    assert len(counted) == 2
