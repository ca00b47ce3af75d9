"""The demo on a small shop: from its trackers to a served list, against everything that the generator knows; and its shop, open."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from analytics.answers import Reports
from analytics.catalog import report
from dashboard.pages import PAGES
from demo.__main__ import clear, make_facts
from demo.outcome.facts import DemoFacts, agrees, comparisons
from nextclick.lake.memory import TableMemory
from nextclick.lake.paths import Lake
from nextclick.lake.sql import ask
from nextclick.landing.reader import read_segment, segments
from nextclick.settings import load
from orchestration.step_runner import step_runner
from tests.e2e.browsing import Browser, Open, axe_source, faults_of_pages
from tests.wait import wait_until

pytestmark = [pytest.mark.spark, pytest.mark.slow]


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo") / "lake"


@pytest.fixture(scope="module")
def facts(lake: Path) -> DemoFacts:
    clear(lake)
    shared = load(lake, profile="test", environ={}).spark  # the session that other tests of this process go on with
    settings = load(lake, profile="demo", environ={"NEXTCLICK_SPARK__JAVA_OPTIONS": shared.java_options})
    return make_facts(settings, seed=7, visitors=300, shown_as="lake", log=Console(stderr=True))


def test_the_lake_holds_exactly_what_the_generator_made(facts: DemoFacts) -> None:
    assert [line for line in comparisons(facts) if not line.agrees] == []
    assert agrees(facts)


def test_every_kind_of_trouble_was_there(facts: DemoFacts) -> None:
    assert facts.truth.late > 0
    assert facts.truth.duplicates > 0
    assert all(facts.truth.broken.values())


def test_every_tracker_brought_its_part_and_no_kind_of_event_was_lost(facts: DemoFacts) -> None:
    assert facts.flow.sources == facts.truth.trackers
    assert facts.flow.kinds == facts.truth.kinds
    assert {"plain", "segment", "snowplow"} == facts.flow.sources.keys()


def test_reports_say_the_attribution_the_retention_and_the_funnel_that_the_generator_knows(facts: DemoFacts) -> None:
    assert facts.figures == facts.truth.figures
    assert {"direct", "email", "organic_social", "paid_search", "referral"} == facts.figures.credited.keys()
    assert 0 < facts.figures.seen_again < facts.figures.first_seen
    views, carts, orders = facts.figures.funnel
    assert views > carts > orders > 0


def test_the_app_its_game_its_films_and_the_campaigns_are_in_reports(facts: DemoFacts, lake: Path) -> None:
    """By what the generator sent: each kind of event, and the release that crashes."""
    settings, kinds = load(lake, profile="demo", environ={}), facts.truth.kinds

    def rows(name: str, by: str, *figures: str) -> list[tuple[Any, ...]]:
        reports = Reports(TableMemory(settings.lake), settings.analytics)
        return [*reports.answer(reports.question(report(name), by=(by,), figures=figures)).rows]

    events = dict(rows("events", "event", "events"))
    assert {kind: events[kind] for kind in kinds} == kinds
    levels = rows("games", "level", "starts", "fails", "completes")
    assert [sum(level[n] for level in levels) for n in (1, 2, 3)] == [
        kinds[kind] for kind in ("level_start", "level_fail", "level_complete")
    ]
    assert sum(plays for _, plays in rows("media", "medium", "plays")) == kinds["play"]
    crashes = dict(rows("releases", "app_version", "crashed_visits"))
    assert sum(crashes.values()) == kinds["app_crash"]
    assert max(crashes, key=lambda version: crashes[version]) == "3.2.0"
    assert dict(rows("attribution", "goal", "conversions")).keys() >= {"newsletter", "purchase"}


def test_expectations_were_checked(facts: DemoFacts) -> None:
    assert facts.checks.passed > 0
    assert facts.checks.stopped == ()


def test_the_model_is_champion_and_beats_popularity_on_clicks(facts: DemoFacts) -> None:
    assert facts.contest.champion == "1"
    model, popular = facts.contest.scores["model"], facts.contest.scores["popular_all_time"]
    assert model["recall@20"] > popular["recall@20"]


def test_the_model_finds_the_hidden_tastes_better_than_popularity(facts: DemoFacts) -> None:
    tastes = facts.tastes
    assert tastes.chance < tastes.popular < tastes.model < tastes.best


def test_who_is_foreseen_to_stay_away_truly_does_more_often(facts: DemoFacts) -> None:
    assert facts.leaver is not None
    assert facts.leaver.true_of_tenth > facts.leaver.true_of_all + 0.1


def test_the_policy_of_actions_is_worth_about_what_it_is_said_to_be(facts: DemoFacts) -> None:
    fact = facts.actions
    assert fact is not None
    assert fact.policy.true > max(fact.none.true, fact.discount.true)
    for one in (fact.policy, fact.none, fact.discount):
        assert one.true == pytest.approx(one.value, abs=one.high - one.low)
    assert not fact.unmoved_serves


def test_abusers_are_suspected_and_nobody_else(facts: DemoFacts) -> None:
    assert facts.abuse.planted == 7
    assert facts.abuse.missed == ()
    assert facts.abuse.wrong == 0


def test_the_portrait_is_of_somebody_with_a_history_and_a_list(facts: DemoFacts) -> None:
    used, listed = facts.portrait.history, facts.portrait.recommended
    assert used
    assert listed
    assert not {item.item_id for item in used} & {item.item_id for item in listed}
    assert facts.portrait.source == "model"
    assert all(item.name for item in (*used, *listed))


def test_devices_of_one_account_are_one_person(facts: DemoFacts, lake: Path) -> None:
    """No guest account, and no visitor who logged in, is a person of their own."""
    query = """
        select count(*) from gold.interactions where person_id like 'g%' or person_id like 'visitor:g%'
        or person_id in (select 'visitor:' || id from silver.identities where kind = 'visitor')
    """
    assert ask(load(lake, environ={}).lake, query)[1] == [(0,)]


def test_the_truth_beside_the_traffic_is_not_in_any_table(facts: DemoFacts, lake: Path) -> None:
    """What is hidden stays hidden: the truth is read by the report alone."""
    assert json.loads((lake / "traffic" / "truth.json").read_bytes())["sessions"] == facts.truth.sessions
    tables = {path.parent.name for path in lake.glob("*/*/_delta_log")}
    assert "traffic" not in tables


@pytest.fixture(scope="module")
def shop(facts: DemoFacts, lake: Path) -> Iterator[dict[str, str]]:
    """What the shop that the demo made says of itself."""
    command = [str(Path(sys.executable).parent / "nextclick"), "--lake", str(lake), "shop", "--port", "0", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            yield json.loads(process.stdout.readline())
        finally:
            process.terminate()
    assert process.returncode == 0


@pytest.fixture(scope="module")
def visit(shop: dict[str, str], browser: Browser) -> Iterator[Any]:
    """A page of the shop."""
    page = browser.open()
    page.goto(shop["address"])
    yield page
    page.close()


def test_three_clicks_on_electronics_reorder_the_next_page(visit: Any, lake: Path) -> None:
    home, before = visit.url, categories(visit)
    for place in range(3):
        visit.goto(f"{home}category/electronics")
        visit.locator(".card a").nth(place).click()
        visit.locator(f"#panel >> text='{place + 1} × view item'").wait_for()
    visit.goto(home)
    assert categories(visit)[:3] == ["electronics"] * 3
    assert before[:3] != ["electronics"] * 3
    visit.locator("#panel >> text=electronics").wait_for()
    assert visit.locator(".card .why").count() == len(categories(visit))
    assert visit.locator(".card img").evaluate_all("images => images.every(image => image.naturalWidth > 0)")


@pytest.fixture(scope="module")
def clicked(visit: Any, lake: Path) -> tuple[str, str]:
    """The shop's first card, shown and clicked: the item and the answer that named it, once both are in silver with all that was sent."""
    first = visit.locator(".card").first
    item, request = (str(first.get_attribute(f"data-nextclick-{name}")) for name in ("item-id", "request-id"))
    visit.wait_for_timeout(1_500)  # half visible for a second: shown
    first.locator("a").click()
    visit.locator("#panel >> text='4 × view item'").wait_for()
    settings = load(lake, profile="demo", environ={})
    wait_until(lambda: {"served", "impression", "click"} <= landed(settings.lake, request))
    for job in ("ingest_events", "build_events", "build_served_items", "sends"):
        step_runner(settings).perform(job)
    return item, request


def test_what_the_shop_showed_and_what_was_clicked_meet_in_silver(clicked: tuple[str, str], lake: Path) -> None:
    item, request = clicked
    query = f"select position, shown_at, clicked_at from silver.served_items where request_id = '{request}' and item_id = '{item}'"
    [(position, shown_at, clicked_at)] = ask(load(lake, environ={}).lake, query)[1]
    assert position == 1
    assert shown_at < clicked_at


def test_each_left_cart_is_a_verified_webhook_or_held_out_and_is_on_record(
    clicked: tuple[str, str], facts: DemoFacts, lake: Path
) -> None:
    assert facts.sent is not None
    assert facts.sent.received == facts.sent.decided["sent"] > 0
    assert "still lies in your cart" in facts.sent.subject
    outcomes = ask(load(lake, environ={}).lake, "select outcome, count(*) from silver.sends group by 1")[1]
    assert dict(outcomes) == facts.sent.decided


def landed(lake: Lake, request: str) -> set[str]:
    """The kinds of event that name this answer, of those that the collector and the API have published."""
    lines = (line.payload for segment in segments(lake.landing) for line in read_segment(segment.path))
    events = (json.loads(line) for line in lines if request.encode() in line)
    return {event["event"] for event in events if event.get("request_id") == request}


def test_what_one_clicks_in_the_shop_moves_the_dashboards_live_page(
    visit: Any, shop: dict[str, str], open_page: Open
) -> None:
    live = open_page()
    live.goto(shop["live"])
    before = views(live)
    visit.goto(shop["address"])
    visit.locator(".card a").first.click()
    for _ in range(100):
        if views(live) > before:
            break
        live.wait_for_timeout(100)
    assert views(live) > before


def views(live: Any) -> int:
    """Of items, as the Live page has them."""
    counts = live.locator("#live tr:has(th:text-is('view_item')) td").all_inner_texts()
    return int(counts[0].replace(",", "")) if counts else 0


@pytest.mark.stress
def test_axe_finds_nothing_on_the_dashboards_pages_of_the_demo(
    shop: dict[str, str], open_page: Open, request: pytest.FixtureRequest
) -> None:
    page = open_page(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    page.goto(shop["live"])
    addresses = [shop["live"].partition("?")[0].replace("/live", f"/{each.stem}") for each in PAGES]
    assert faults_of_pages(page, addresses, axe_source(request.config.cache)) == []


def categories(page: Any) -> list[str]:
    return [str(card.get_attribute("data-nextclick-category")) for card in page.locator("#feed .card").all()]
