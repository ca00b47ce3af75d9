"""What stands on pages beside reports, on a lake whose figures a reader counts."""

import os
import re
import time
from html import unescape
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from analytics.answers import Reports
from dashboard.access import PageAccess
from dashboard.app import app
from dashboard.pages import PAGES
from nextclick.lake.memory import TableMemory
from nextclick.landing.writer import SegmentWriter
from nextclick.settings import Settings, load
from serving.experiments.assignment import load as load_experiments
from serving.experiments.report import report
from serving.next_best_action.actions import NONE
from serving.next_best_action.actions import load as load_actions
from serving.next_best_action.cells import ActionCell
from serving.next_best_action.judge import Verdict
from serving.next_best_action.state import LearnedActions, write
from tests.dashboard_lake import HOSTILE, conf_with_experiment, fill_all
from tests.unit.dashboard.test_pages import NOON, TOKEN, browser


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    conf = conf_with_experiment(tmp_path_factory.mktemp("conf"))
    settings = load(tmp_path_factory.mktemp("lake"), conf, profile="test", environ={})
    fill_all(settings.lake)
    return settings


@pytest.fixture(scope="module")
def pages(lake: Settings) -> TestClient:
    return browser(lake)


def section(page: str, stem: str) -> str:
    """The text of a panel or part, a word after the other."""
    [found] = re.findall(rf'<section [^>]*aria-labelledby="{stem}".*?</section>', page, re.DOTALL)
    return " ".join(unescape(re.sub(r"<script.*?</script>|<[^>]+>", " ", found, flags=re.DOTALL)).split())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_page_of_a_full_lake_answers_and_nothing_hostile_leads_out(pages: TestClient, page: object) -> None:
    answer = pages.get(f"/{page.stem}")  # type: ignore[attr-defined]
    assert answer.status_code == 200
    assert HOSTILE not in answer.text
    assert 'role="alert"' not in answer.text


def test_the_model_stands_beside_popularity_and_what_nobody_measured_is_absent(pages: TestClient) -> None:
    text = section(pages.get("/recommender").text, "model")
    assert "Version 3, trained on 2026-01-28, judged on 50 people" in text
    assert "Recall at 20 0.200 0.150 to 0.260 0.100 +100%" in text
    assert "NDCG at 20 0.120 – – –" in text
    assert "Clicks per foreseen 3 2026-01-28 1.250 0.900 to 1.600" in text


def test_figures_of_the_model_are_as_new_as_it_is_unless_a_last_day_is_named(pages: TestClient) -> None:
    assert "trained on 2026-01-28" in section(pages.get("/recommender?range=7d").text, "model")
    assert "No model was trained" in section(pages.get("/recommender?from=2026-01-01&to=2026-01-20").text, "model")


def test_an_experiment_shows_its_variants_and_its_sequence(pages: TestClient, lake: Settings) -> None:
    text = section(pages.get("/recommender").text, "experiments")
    assert "grey 120 120 12 10.0%" in text
    assert "red 120 120 60 50.0%" in text
    assert "better, p 0.0" in text
    [one] = [each for each in load_experiments(lake.conf_dir / "experiments") if each.name == "colour"]
    looks = report(lake, one).looks
    assert [look.date.day for look in looks] == [6, 7, 8, 9, 10, 11]
    assert f"2026-01-11 {100 * looks[-1].differences['red'].value:+.2f}" in text
    assert "colour" not in section(pages.get("/recommender?from=2026-01-22&to=2026-01-28").text, "experiments")


def test_what_is_unusual_shows_what_lasts_first(pages: TestClient) -> None:
    text = section(pages.get("/quality?from=2026-01-01&to=2026-01-28").text, "unusual")
    assert f"shop · click_flood · {HOSTILE}" in text
    assert "5 1,234 alarm open shop · traffic · events" in text
    assert "click_flood" in section(pages.get("/quality?from=2025-01-01&to=2025-01-02").text, "unusual")
    assert "events" not in section(pages.get("/quality?from=2025-01-01&to=2025-01-02").text, "unusual")


def test_bandits_show_their_arms(pages: TestClient) -> None:
    text = section(pages.get("/recommender").text, "bandits")
    assert "summer 200 30 15.0% 10.7% to 20.6%" in text
    assert f"{HOSTILE} 4 0 0.0% 0.0% to 49.0%" in text


def test_next_best_actions_show_what_they_are_worth_and_why_one_is_only_tried(
    lake: Settings, pages: TestClient
) -> None:
    assert "No action is set up" in section(pages.get("/recommender").text, "actions")
    (lake.conf_dir / "actions.toml").write_text(
        'margin = 20.0\n[[actions]]\nid = "voucher"\nkind = "discount"\nmargin = 15.0'
    )
    cells = {
        action: ActionCell(trials=400, outcomes=outcomes, weight=800.0, squares=1_600.0, happened=2.0 * outcomes)
        for action, outcomes in ((NONE, 40), ("voucher", 44))
    }
    reason = f"<b>{HOSTILE}</b> is not surely better"
    learned = LearnedActions(
        version=4,
        digest=load_actions(lake.conf_dir).digest,
        cells={"*": cells},
        verdict=Verdict(serves=False, reason=reason),
    )
    write(lake.lake, learned)
    page = browser(lake).get("/recommender").text
    assert reason not in page
    text = section(page, "actions")
    assert f"None is served: {reason}." in text
    assert "none 400 40 2.00 0.00 (0.00 to 0.00)" in text
    assert "voucher 400 44 1.65 -0.36 (-1.09 to 0.37) not surely worth more than none" in text
    assert "up to version 4" in text


def test_a_rule_is_chosen_and_all_stand_side_by_side(pages: TestClient) -> None:
    usual, last = (
        section(pages.get(f"/acquisition{words}").text, "credit-of-conversions") for words in ("", "?rule=last")
    )
    assert "email 2 20.00" in usual
    assert "direct 3 30.00" in last
    assert "email" not in last
    all_rules = section(pages.get("/acquisition").text, "credit-by-every-rule")
    assert "Goal · Channel Last Last non-direct purchase · direct 3 1 purchase · email 2" in all_rules
    assert pages.get("/acquisition?rule=mine").status_code == 400


def test_stops_and_overrides_are_named(pages: TestClient) -> None:
    text = section(pages.get("/quality").text, "account")
    assert "Residual None silver.events 0" in text
    assert "key_unique 2 keys twice 2026-01-28 12:00 stops what reads it" in text
    assert "overridden by Ada on 2026-01-28 13:00: a test shop" in text


def test_what_waits_for_a_job_is_named(tmp_path: Path) -> None:
    settings = load(tmp_path, profile="test", environ={})
    assert "bronze.events –" in section(browser(settings).get("/quality").text, "lag")
    with SegmentWriter(settings.lake.landing, settings.landing) as writer:
        writer.append(b"{}", "plain", 0)
    [segment] = settings.lake.landing.glob("*.log")
    os.utime(segment, (0, time.time() - 7_000))
    assert "bronze.events 116.7 min" in section(browser(settings).get("/quality").text, "lag")


def test_rejects_are_the_newest_of_each_reason_and_cut(pages: TestClient) -> None:
    text = section(pages.get("/quality").text, "examples")
    assert [word for word in text.split() if word in ("1", "2", "latest")] == ["latest", "2", "1"]
    assert HOSTILE not in text
    assert "x" * 600 + " …" in text
    assert "x" * 601 not in text


def test_a_link_that_was_handed_on_shows_no_reject(lake: Settings) -> None:
    address = PageAccess(lake.lake).sign("/quality", int(time.time()) + 60)
    reports = Reports(TableMemory(lake.lake), lake.analytics, NOON)
    text = TestClient(app(lake, TOKEN, reports), "http://127.0.0.1").get(address).text
    assert "this link does not show it" in section(text, "examples")
    assert "latest" not in text


def test_persons_are_counted_where_the_address_says_so(pages: TestClient) -> None:
    page = pages.get("/people?unit=person").text
    assert 'id="unit-person" href="/people?unit=person" aria-current="true"' in page
    assert "unit=person" in re.findall(r'href="(/csv/active[^"]*)"', page)[0]
    assert pages.get("/csv/active?unit=person").status_code == 200


def test_the_form_for_a_filter_leads_to_an_address_with_it(pages: TestClient) -> None:
    words = {"range": "7d", "where": "site=shop", "filter": "channel", "sign": "!=", "value": "email, direct"}
    answer = pages.get("/overview", params=words, follow_redirects=False)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/overview?range=7d&where=site%3Dshop&where=channel%21%3Demail%2C+direct"
    assert pages.get(answer.headers["location"]).status_code == 200
    assert pages.get("/overview?filter=channel&value=x&sign=nonsense", follow_redirects=False).headers["location"] == (
        "/overview?where=channel%3Dx"
    )


def test_values_are_offered_for_what_a_page_can_be_filtered_by(pages: TestClient) -> None:
    assert pages.get("/values/overview/channel").text.count("<option") == 3
    assert HOSTILE not in pages.get("/values/overview/channel").text
    for path in ("overview/date", "overview/nothing", "nowhere/channel"):
        assert pages.get(f"/values/{path}").status_code == 404
