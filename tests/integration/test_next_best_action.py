"""The next best action through the API: nothing is answered that is not on record, and what is on record is learned from."""

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from cli.main import cli
from nextclick.errors import AudienceError
from nextclick.kv import open_profiles
from nextclick.profile import profile
from nextclick.profile.profile import Action
from nextclick.settings import Settings
from serving.answers.next_best_action import next_best_action
from serving.engine import Engine
from serving.next_best_action import learn, state
from serving.next_best_action.decisions import Decision
from serving.next_best_action.judge import Verdict
from serving.schema.requests import NextBestActionRequest
from serving.schema.responses import NextBestAction
from tests import table_rows
from tests.audience_files import BUYERS
from tests.integration.conftest import Gold
from tests.integration.test_api_choices import records
from tests.integration.test_serving import furnished
from tests.wait import now

ACTIONS = """
margin = 20.0

[[actions]]
id = "voucher"
kind = "discount"
text = "5 off"
margin = 15.0

[[actions]]
id = "for-you"
kind = "recommendation"

[[actions]]
id = "stay"
kind = "banner"
text = "Stay"
link = "/stay"
least = { churn = 0.6 }
"""


@pytest.fixture
def shop(settings: Settings, gold: Gold, tmp_path: Path) -> Settings:
    """The lake of the API's tests, with three actions, and each is tried by everybody alike."""
    conf = tmp_path / "conf"
    conf.mkdir()
    (conf / "actions.toml").write_text(ACTIONS)
    own = msgspec.structs.replace(settings.actions, explore=0.9, min_people=20)
    return furnished(msgspec.structs.replace(settings, conf_dir=conf, actions=own))


def answered(settings: Settings, metrics: Any, *requests: NextBestActionRequest) -> list[NextBestAction]:
    engine = Engine(settings, metrics)
    engine.start()
    try:
        return [asyncio.run(next_best_action(engine, "default", request)) for request in requests]
    finally:
        engine.close()


def visitors(count: int) -> list[NextBestActionRequest]:
    return [NextBestActionRequest(visitor_id=f"v{number}", surface="home", n=2) for number in range(count)]


def test_each_answer_is_on_record_with_the_shares_that_it_was_drawn_by(shop: Settings, metrics: Any) -> None:
    answers = answered(shop, metrics, *visitors(40))
    said = {record["request_id"]: record for record in records(shop)}
    assert {answer.action for answer in answers} == {"none", "voucher", "for-you"}
    for answer in answers:
        record = said[answer.request_id]
        decision = msgspec.json.decode(record["properties"]["decision"], type=Decision)
        assert (decision.action, decision.propensity) == (answer.action, answer.propensity)
        assert decision.shares == {one.action: one.propensity for one in answer.actions}
        assert decision.shares == pytest.approx({"none": 0.4, "voucher": 0.3, "for-you": 0.3})
        assert (answer.recorded, record["surface"]) == (True, "home")
        items = json.loads(record["properties"].get("items", "[]"))
        assert answer.items == items
        assert bool(items) == (answer.action == "for-you"), "a list is on record where one was answered, and no other"


def test_a_person_keeps_an_action_and_sees_why_others_are_not_allowed(shop: Settings, metrics: Any) -> None:
    asked_twice = [*visitors(5), *visitors(5)]
    answers = answered(shop, metrics, *asked_twice)
    assert [one.action for one in answers[:5]] == [one.action for one in answers[5:]]
    explained = msgspec.structs.replace(asked_twice[0], explain=True)
    [answer] = answered(shop, metrics, explained)
    assert {one.action: one.reason for one in answer.actions if not one.propensity} == {
        "stay": "only where churn is at least 0.6"
    }


def test_an_action_for_an_audience_is_for_who_belongs_when_they_ask(shop: Settings, metrics: Any) -> None:
    file = shop.conf_dir / "actions.toml"
    file.write_text(ACTIONS.replace("least = { churn = 0.6 }", 'audience = "buyers"'))
    with pytest.raises(AudienceError, match="The action stay is for the audience 'buyers', which there is not"):
        Engine(shop, metrics)
    (shop.conf_dir / "audiences").mkdir()
    (shop.conf_dir / "audiences" / "buyers.toml").write_text(f'meaning = "Bought lately"\n{BUYERS}')
    bought = Action(at=now() - 1000, id=1, code=6, item="lamp")
    open_profiles(shop).merge({profile.visitor_key("default", "ann"): [bought]})
    names = ("ann", "bob")
    answers = answered(shop, metrics, *(NextBestActionRequest(visitor_id=name, explain=True) for name in names))
    stay = [next(one for one in answer.actions if one.action == "stay") for answer in answers]
    assert stay[0].propensity == pytest.approx(0.9 / 4)
    assert (stay[1].propensity, stay[1].reason) == (0, "only to the audience buyers")


@pytest.mark.parametrize("why", ["nobody", "no record", "rate"])
def test_without_a_record_nothing_is_done(shop: Settings, metrics: Any, why: str) -> None:
    requests = visitors(20)
    if why == "nobody":
        requests = [NextBestActionRequest(visitor_id=name) for name in (None, "undefined")]
    serving = msgspec.structs.replace(shop.serving, record=why != "no record", records_per_second=1)
    answers = answered(msgspec.structs.replace(shop, serving=serving), metrics, *requests)
    lost = [answer for answer in answers if not answer.recorded]
    assert lost
    assert {(one.action, one.kind, one.propensity, *one.items) for one in lost} == {("none", "none", 1.0)}
    assert len(records(shop)) == len(answers) - len(lost)


def test_while_records_are_lost_none_is_answered_and_on_record_as_it_was(shop: Settings, metrics: Any) -> None:
    """So that what is written when the disk is back says what was done."""
    engine = Engine(shop, metrics)
    engine.recorder.is_up = False
    engine.start()
    try:
        answers = [asyncio.run(next_best_action(engine, "default", request)) for request in visitors(10)]
    finally:
        engine.close()
    assert (answers[0].action, answers[0].recorded) == ("none", False)
    said = [msgspec.json.decode(record["properties"]["decision"], type=Decision) for record in records(shop)]
    assert said[0].shares == {"none": 1.0, "voucher": 0.0, "for-you": 0.0}
    assert [decision.action for decision in said] == [answer.action for answer in answers]


def test_before_the_first_export_and_without_actions_it_is_none(settings: Settings, metrics: Any) -> None:
    [answer] = answered(settings, metrics, *visitors(1))
    assert (answer.action, answer.recorded, answer.degraded) == ("none", False, True)


def test_what_came_of_answers_is_learned_shown_and_served(shop: Settings, metrics: Any) -> None:
    """Whoever has a voucher buys, and nobody else does, and two days went by."""
    answers = answered(shop, metrics, *visitors(120))
    rows = [{**record, "properties": list(record["properties"].items())} for record in records(shop)]
    later = rows[0] | {"request_id": "later", "event_id": "later", "visitor_id": "later"}
    rows.append(later | {"occurred_at": later["occurred_at"] + timedelta(days=2)})
    vouchers = {answer.request_id for answer in answers if answer.action == "voucher"}
    rows += [
        {
            "site": "default",
            "event": "purchase",
            "event_id": f"bought-{record['visitor_id']}",
            "visitor_id": record["visitor_id"],
        }
        | {"occurred_at": record["occurred_at"]}
        for record in rows[:-1]
        if record["request_id"] in vouchers
    ]
    table_rows.write(shop.lake, "silver.events", rows)
    report = learn.run(shop)
    assert (report.read, report.details["policy"]) == (120, "served")
    learned = state.read(shop.lake)
    assert learned
    assert {name: (cell.trials, cell.outcomes) for name, cell in learned.cells["*"].items()} == {
        name: (sum(one.action == name for one in answers), len(vouchers) * (name == "voucher"))
        for name in ("none", "voucher", "for-you")
    }
    [answer] = answered(shop, metrics, NextBestActionRequest(visitor_id="new"))
    assert answer.actions[0].action == "voucher"
    assert answer.actions[0].propensity == pytest.approx(0.3 + 0.05)

    place = ["--lake", str(shop.lake.root), "--conf-dir", str(shop.conf_dir)]
    (shop.conf_dir / "default.toml").write_text((Path(__file__).parents[2] / "conf" / "default.toml").read_text())
    environ = {"NEXTCLICK_ACTIONS__MIN_PEOPLE": "20"}
    shown = CliRunner(env=environ).invoke(cli, [*place, "actions", "--json"])
    assert shown.exit_code == 0, shown.output
    verdict = msgspec.convert(json.loads(shown.stdout)["verdict"], Verdict)
    assert verdict.serves
    assert verdict.worth
    assert verdict.worth.discounts["voucher"].value.value == pytest.approx(15, rel=0.1)
    text = CliRunner(env=environ).invoke(cli, [*place, "actions"])
    assert "Served: the policy is surely better than none" in text.stdout
    assert "voucher for all" in text.stdout


def test_a_wrong_call_says_what_to_do(shop: Settings) -> None:
    (shop.conf_dir / "default.toml").write_text((Path(__file__).parents[2] / "conf" / "default.toml").read_text())
    place = ["--lake", str(shop.lake.root), "--conf-dir", str(shop.conf_dir)]
    missing = CliRunner().invoke(cli, [*place, "actions"])
    assert missing.exception
    assert "nextclick run" in str(missing.exception)
    (shop.conf_dir / "actions.toml").unlink()
    nothing = CliRunner().invoke(cli, [*place, "actions"])
    assert "there is nothing to judge" in str(nothing.exception)
