"""The demo on a small shop: from its trackers to a served list, against everything that the generator knows."""

import json
from pathlib import Path

import pytest
from rich.console import Console

from demo.__main__ import clear, make_facts
from demo.facts import Facts, agrees, comparisons
from nextclick.settings import load
from orchestration.sql import ask

pytestmark = [pytest.mark.spark, pytest.mark.slow]


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo") / "lake"


@pytest.fixture(scope="module")
def facts(lake: Path) -> Facts:
    clear(lake)
    shared = load(lake, profile="test", environ={}).spark  # the session that other tests of this process go on with
    settings = load(lake, profile="demo", environ={"NEXTCLICK_SPARK__JAVA_OPTIONS": shared.java_options})
    return make_facts(settings, seed=7, visitors=300, shown_as="lake", log=Console(stderr=True))


def test_the_lake_holds_exactly_what_the_generator_made(facts: Facts) -> None:
    assert [line for line in comparisons(facts) if not line.agrees] == []
    assert agrees(facts)


def test_every_kind_of_trouble_was_there(facts: Facts) -> None:
    assert facts.truth.late > 0
    assert facts.truth.duplicates > 0
    assert all(facts.truth.broken.values())


def test_every_tracker_brought_its_part_and_no_kind_of_event_was_lost(facts: Facts) -> None:
    assert facts.flow.sources == facts.truth.trackers
    assert facts.flow.kinds == facts.truth.kinds
    assert {"plain", "segment", "snowplow"} == facts.flow.sources.keys()


def test_expectations_were_checked(facts: Facts) -> None:
    assert facts.checks.passed > 0
    assert facts.checks.stopped == ()


def test_the_model_is_champion_and_beats_popularity_on_clicks(facts: Facts) -> None:
    assert facts.contest.champion == "1"
    model, popular = facts.contest.scores["model"], facts.contest.scores["popular_all_time"]
    assert model["recall@20"] > popular["recall@20"]


def test_the_model_finds_the_hidden_tastes_better_than_popularity(facts: Facts) -> None:
    tastes = facts.tastes
    assert tastes.chance < tastes.popular < tastes.model < tastes.best


def test_the_portrait_is_of_somebody_with_a_history_and_a_list(facts: Facts) -> None:
    used, listed = facts.portrait.history, facts.portrait.recommended
    assert used
    assert listed
    assert not {item.item_id for item in used} & {item.item_id for item in listed}
    assert facts.portrait.source == "model"
    assert all(item.name for item in (*used, *listed))


def test_devices_of_one_account_are_one_person(facts: Facts, lake: Path) -> None:
    """No guest account, and no visitor who logged in, is a person of their own."""
    query = """
        select count(*) from gold.interactions where person_id like 'g%'
        or person_id in (select id from silver.identities where kind = 'visitor')
    """
    assert ask(load(lake, environ={}).lake, query)[1] == [(0,)]


def test_the_truth_beside_the_traffic_is_not_in_any_table(facts: Facts, lake: Path) -> None:
    """What is hidden stays hidden: the truth is read by the report alone."""
    assert json.loads((lake / "traffic" / "truth.json").read_bytes())["sessions"] == facts.truth.sessions
    tables = {path.parent.name for path in lake.glob("*/*/_delta_log")}
    assert "traffic" not in tables
