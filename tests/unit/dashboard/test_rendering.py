"""What was made of a panel is kept while its answer stands, and shows nothing that is older than the tables."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from analytics.answers import Reports
from dashboard.address import PageSeal, view
from dashboard.pages import OVERVIEW
from dashboard.rendering import PageRenderer
from nextclick.lake.memory import TableMemory
from nextclick.settings import Settings, load
from tests.dashboard_lake import VISITS, fill
from tests.table_rows import write

NOON = datetime(2026, 1, 29, 12, tzinfo=UTC)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = load(tmp_path, profile="test", environ={})
    fill(settings.lake)
    return settings


@pytest.fixture
def renderer(settings: Settings) -> PageRenderer:
    return PageRenderer(settings, Reports(TableMemory(settings.lake), settings.analytics, NOON))


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Titles of panels that were made."""
    made, render = list[str](), PageRenderer._render

    def seen(self: PageRenderer, template: str, **facts: Any) -> Any:
        made.extend([facts["panel"].title] if "panel" in facts else [])
        return render(self, template, **facts)

    monkeypatch.setattr(PageRenderer, "_render", seen)
    return made


def overview(renderer: PageRenderer, *words: tuple[str, str], seal: PageSeal | None = None) -> str:
    return renderer.page(OVERVIEW, view(renderer.reports, "/overview", words, seal))


def test_a_panel_is_made_again_where_its_table_moved(
    settings: Settings, renderer: PageRenderer, made: list[str]
) -> None:
    first = overview(renderer)
    assert made == [panel.title for panel in OVERVIEW.panels]
    made.clear()
    assert overview(renderer, ("range", "28d"), ("where", "")).split("Freshness")[0] == first.split("Freshness")[0]
    assert made == ["Freshness"], "the age of tables is of now; the range is the usual one, and no filter is none"
    write(settings.lake, "gold.visits", [VISITS[0] | {"session_id": "new", "visitor_id": "new"}])
    made.clear()
    assert 'data-figure="visitors">4<' in overview(renderer)
    assert 'data-figure="visitors">3<' in first
    assert {*made} == {"Visits", "Revenue", "Channels", "Devices", "Countries", "Freshness"}


def test_each_address_has_its_own(renderer: PageRenderer) -> None:
    pages = [overview(renderer), overview(renderer, ("figure", "views")), overview(renderer, ("compare", "none"))]
    chosen = [re.findall(r'id="tile-(\w+)"[^>]*aria-current', page) for page in pages]
    assert chosen == [["visitors"], ["views"], ["visitors"]]
    assert ["from 1</span>" in page for page in pages] == [True, True, False]


def test_tomorrow_today_is_among_the_full_days(settings: Settings, renderer: PageRenderer) -> None:
    write(settings.lake, "gold.visits", [VISITS[0] | {"session_id": "new", "date": NOON.date()}])
    assert 'data-figure="visits">4<' in overview(renderer)
    renderer.reports._now = NOON + timedelta(1)
    assert 'data-figure="visits">5<' in overview(renderer)


def test_what_a_link_opens_has_that_links_addresses_alone(renderer: PageRenderer) -> None:
    seals = [PageSeal(f"{{}}&sign={name}".format, 4_000_000_000) for name in ("first", "second")]
    pages = [overview(renderer), *(overview(renderer, seal=seal) for seal in seals)]
    assert [["sign=first" in page, "sign=second" in page] for page in pages] == [
        [False] * 2,
        [True, False],
        [False, True],
    ]


def test_texts_beyond_their_bytes_are_made_again(settings: Settings, made: list[str]) -> None:
    renderer = PageRenderer(settings, Reports(TableMemory(settings.lake), settings.analytics, NOON), text_bytes=0)
    overview(renderer)
    made.clear()
    overview(renderer)
    assert made == [panel.title for panel in OVERVIEW.panels]
