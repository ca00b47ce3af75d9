"""A link with an end opens one page of the dashboard with its data, and nothing else."""

import json
import re
import time
from html import unescape
from pathlib import Path

import pytest
from click.testing import CliRunner
from starlette.testclient import TestClient

from analytics.answers import Reports
from cli.main import cli
from dashboard.access import require_linkable
from dashboard.app import app
from dashboard.pages import PAGES
from nextclick.errors import UsageError
from nextclick.lake.memory import TableMemory
from nextclick.settings import Settings, load
from nextclick.web.signed_links import SignedLinks
from tests.dashboard_lake import LAST, fill
from tests.unit.dashboard.test_pages import NOON, tiles

DAYS = f"from={LAST}&to={LAST}"


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    settings = load(tmp_path_factory.mktemp("lake"), profile="test", environ={})
    fill(settings.lake)
    return settings


@pytest.fixture(scope="module")
def reader(settings: Settings) -> TestClient:
    """Somebody without the token."""
    reports = Reports(TableMemory(settings.lake), settings.analytics, NOON)
    return TestClient(app(settings, "t" * 43, reports), "http://127.0.0.1", follow_redirects=False)


def link(settings: Settings, address: str, *words: str) -> str:
    done = CliRunner().invoke(cli, ["--lake", str(settings.lake.root), "share", "link", address, *words, "--json"])
    assert done.exit_code == 0, done.exception
    answer = json.loads(done.output)
    assert answer["link"].startswith("http://127.0.0.1:8090/")
    return str(answer["link"]).removeprefix("http://127.0.0.1:8090")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_it_opens_its_page_and_all_that_the_page_loads(settings: Settings, reader: TestClient, page: object) -> None:
    stem = getattr(page, "stem")  # noqa: B009
    answer = reader.get(link(settings, stem))
    assert answer.status_code == 200, answer.text
    loads = {unescape(each) for each in re.findall(r'(?:href|src|data-live|data-echarts)="([^"#]+)"', answer.text)}
    assert any(each.startswith("/static/") for each in loads)
    for each in loads - {each for each in loads if each.startswith("/live/stream")}:
        assert reader.get(each).status_code == 200, each


def test_it_shows_what_who_has_the_token_sees(settings: Settings, reader: TestClient) -> None:
    address = f"/overview?{DAYS}&where=channel%3Demail"
    with_token = reader.get(address, headers={"authorization": f"Bearer {'t' * 43}"})
    by_link = reader.get(link(settings, address))
    assert tiles(by_link.text) == tiles(with_token.text)
    assert tiles(by_link.text)["visits"] == "1"
    assert "<nav" in with_token.text
    assert "<nav" not in by_link.text
    assert 'class="controls"' not in by_link.text
    assert f"{LAST} to {LAST} · channel=email · this link opens this page until " in by_link.text
    assert "this link" not in with_token.text


def test_the_tables_of_the_page_are_loaded_with_its_filter(settings: Settings, reader: TestClient) -> None:
    page = reader.get(link(settings, f"/overview?{DAYS}&where=channel%3Demail")).text
    [address] = {unescape(each) for each in re.findall(r'href="(/csv/traffic\?[^"]*by=channel&[^"]*)"', page)}
    answer = reader.get(address)
    assert answer.status_code == 200
    assert answer.text.splitlines()[1].startswith("email,1")
    assert len(answer.text.splitlines()) == 2
    assert reader.get(address.replace("channel%3Demail", "channel%3Ddirect")).status_code == 401
    assert reader.get(address.replace("/csv/", "/api/")).status_code == 401


def test_every_other_address_refuses(settings: Settings, reader: TestClient) -> None:
    opened = link(settings, f"/overview?{DAYS}&where=channel%3Demail")
    assert reader.get(opened).status_code == 200
    tail = opened[opened.index("until=") :]
    others = [f"/{page.stem}?{tail}" for page in PAGES] + [f"/{page.stem}" for page in PAGES]
    others += ["/", "/metrics", "/health", "/live/stream", f"/live/stream?{tail}", f"/api/traffic?{tail}"]
    others += [
        opened.replace("&where=channel%3Demail", ""),
        opened.replace(f"from={LAST}", "from=2020-01-01"),
        opened + "&where=site%3Dshop",
        "/items" + opened.removeprefix("/overview"),
        opened.replace("/overview", "//overview"),
        opened.replace("/overview", "/overview/"),
        opened.replace("/overview", "//["),
    ]
    assert {reader.get(each).status_code for each in others} == {401}
    assert reader.post(opened).status_code == 401
    assert not reader.cookies


def test_after_its_end_it_opens_nothing(settings: Settings, reader: TestClient) -> None:
    ended = SignedLinks(settings.lake).sign("/overview", int(time.time()) - 1)
    assert reader.get(ended).status_code == 401


def test_a_new_key_ends_all(tmp_path: Path) -> None:
    settings = load(tmp_path, profile="test", environ={})
    settings.lake.prepare()
    reader = TestClient(app(settings, "t" * 43), "http://127.0.0.1")
    opened = link(settings, "definitions")
    assert reader.get(opened).status_code == 200
    assert CliRunner().invoke(cli, ["--lake", str(tmp_path), "share", "unlink"]).exit_code == 0
    assert reader.get(opened).status_code == 401
    assert reader.get(link(settings, "definitions")).status_code == 200


def test_a_page_of_another_origin_or_host_is_refused_as_ever(settings: Settings, reader: TestClient) -> None:
    opened = link(settings, "overview")
    assert reader.get(opened, headers={"origin": "https://evil.example"}).status_code == 403
    assert reader.get(opened, headers={"host": "evil.example"}).status_code == 400


def test_an_address_is_a_page_or_the_data_of_a_report() -> None:
    assert require_linkable("overview") == "/overview"
    assert require_linkable("/items?range=90d&until=1&signature=x") == "/items?range=90d"
    assert require_linkable("/csv/traffic?by=channel") == "/csv/traffic?by=channel"
    for wrong in ("", "/", "nothing", "/metrics", "/csv/nothing", "/static/x/y", "https://x/overview", "/live/stream"):
        with pytest.raises(UsageError):
            require_linkable(wrong)


def test_a_link_to_a_reports_csv_is_for_programs(settings: Settings, reader: TestClient) -> None:
    answer = reader.get(link(settings, f"/csv/traffic?{DAYS}&by=channel&figures=visits", "--days", "30"))
    assert answer.text.splitlines()[0] == "channel,visits"
