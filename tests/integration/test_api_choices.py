"""What the API draws and assigns, through the loop: answer → landing log → silver → what bandits learn and reports count."""

import asyncio
import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from nextclick.landing.reader import read_segment, segments
from nextclick.settings import Settings
from serving.answers import lists
from serving.bandits import learn, state
from serving.bandits.context import SIZE
from serving.bandits.methods import Arm
from serving.bandits.trials import Draw
from serving.engine import Engine
from serving.experiments import assignment
from serving.experiments.report import report
from serving.export import export
from serving.schema.requests import PersonalizeRequest
from serving.schema.responses import Personalized
from tests import table_rows
from tests.integration.conftest import Gold

EXPERIMENT = """
start = 2026-01-01T00:00:00Z
stop = 2099-01-01T00:00:00Z
[[variants]]
name = "thompson"
[[variants]]
name = "greedy"
params = { "bandits.method" = "epsilon_greedy" }
"""


@pytest.fixture
def exploring(settings: Settings, gold: Gold, tmp_path: Path) -> Settings:
    """A lake with a popular list of 30 items, an experiment that runs, and a second place that exploration fills."""
    conf = tmp_path / "conf"
    (conf / "experiments").mkdir(parents=True)
    shutil.copy(settings.conf_dir / "banners.toml", conf)
    (conf / "experiments" / "methods.toml").write_text(EXPERIMENT)
    gold.full({}, [(f"i{n:02}", 1 - n / 100) for n in range(30)])
    bandits = msgspec.structs.replace(settings.bandits, positions=(2,), pool=10)
    settings = msgspec.structs.replace(settings, conf_dir=conf, bandits=bandits)
    export.run(settings)
    return settings


def answered(settings: Settings, metrics: Any, visitors: int) -> dict[str, Personalized]:
    """One answer for each of so many visitors, by visitor."""
    engine = Engine(settings, metrics)
    engine.start()
    try:
        return {
            visitor: asyncio.run(
                lists.personalize(engine, "default", PersonalizeRequest(visitor_id=visitor, surface="home", feed=5))
            )
            for visitor in (f"v{number}" for number in range(visitors))
        }
    finally:
        engine.close()


def records(settings: Settings) -> list[dict[str, Any]]:
    """The served records of the landing log, as rows of silver."""
    lines = [line for segment in segments(settings.lake.landing) for line in read_segment(segment.path)]
    events = [json.loads(line.payload) | {"source": line.source} for line in lines]
    return [record | {name: _time(record[name]) for name in ("client_time", "occurred_at")} for record in events]


def _time(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def test_what_is_answered_is_on_record_with_its_propensities(exploring: Settings, metrics: Any) -> None:
    answers = answered(exploring, metrics, 20)
    said = {record["visitor_id"]: record for record in records(exploring)}
    assert set(said) == set(answers)
    running = assignment.load(exploring.conf_dir / "experiments")
    for visitor, answer in answers.items():
        record, properties = said[visitor], said[visitor]["properties"]
        slot, banner = msgspec.json.decode(properties["draws"], type=list[Draw])
        items, propensities = json.loads(properties["items"]), json.loads(properties["propensities"])
        assert items[:5] == [item.item_id for item in answer.ranked_feed]
        assert (slot.bandit, slot.arm, slot.position, slot.arms) == ("slot:home", items[1], 2, 11)
        assert [place for place, share in enumerate(propensities, 1) if share < 1] == [2]
        assert propensities[1] == slot.propensity
        assert answer.personalized_banner is not None
        assert (banner.bandit, banner.arm, banner.arms) == ("banner:home", answer.personalized_banner["id"], 3)
        assert len(banner.context) == len(slot.context) == SIZE
        [assigned] = assignment.assign(running, "default", visitor, None, datetime.now(UTC)).assigned
        assert (record["experiment"], record["variant"], answer.variant) == (*assigned, assigned.variant)


def test_what_is_clicked_is_learned_and_reported(exploring: Settings, metrics: Any) -> None:
    """Everybody is shown their banner, and whoever is in `greedy` clicks it."""
    answered(exploring, metrics, 20)
    served = records(exploring)
    acts = [
        {name: record[name] for name in ("site", "visitor_id", "request_id", "occurred_at")}
        | {"event": event, "event_id": event + record["request_id"], "properties": [("banner", _banner(record))]}
        for record in served
        for event in ("impression", *(["click"] if record["variant"] == "greedy" else []))
    ]
    columns = [{**record, "properties": list(record["properties"].items())} for record in served]
    table_rows.write(exploring.lake, "silver.events", [*columns, *acts])
    learn.run(exploring)
    learned = state.read(exploring.lake)
    assert learned is not None
    clicks = sum(record["variant"] == "greedy" for record in served)
    assert 0 < clicks < 20
    arms = learned.bandits["banner:home"].values()
    assert (sum(arm.trials for arm in arms), sum(arm.rewards for arm in arms)) == (20, clicks)
    assert "slot:home" not in learned.bandits, "no item was shown"
    [running] = assignment.load(exploring.conf_dir / "experiments")
    counts = {one.name: (one.exposed, one.clicked) for one in report(exploring, running).variants}
    assert counts == {"greedy": (clicks, clicks), "thompson": (20 - clicks, 0)}


def _banner(record: dict[str, Any]) -> str:
    return str(record["properties"]["banner"])


def test_a_running_api_takes_up_what_was_learned(exploring: Settings, metrics: Any) -> None:
    quick = msgspec.structs.replace(exploring.serving, refresh_seconds=0.01)
    greedy = msgspec.structs.replace(exploring.bandits, method="epsilon_greedy", epsilon=0.0)
    settings = msgspec.structs.replace(exploring, serving=quick, bandits=greedy)
    (settings.conf_dir / "experiments" / "methods.toml").unlink()
    engine = Engine(settings, metrics)
    engine.start()
    try:
        arms = {"popular": Arm(trials=9, rewards=9), "new": Arm(trials=9), "for-you": Arm(trials=9)}
        state.write(settings.lake, state.State(version=1, bandits={"banner:home": arms}))
        request = PersonalizeRequest(visitor_id="v1", surface="home")
        for _ in range(2000):
            answers = [
                asyncio.run(lists.personalize(engine, "default", request)).personalized_banner for _ in range(20)
            ]
            if {answer["id"] for answer in answers if answer} == {"popular"}:
                return
        raise AssertionError("the new state was not taken up")
    finally:
        engine.close()
