"""A real API that answers open sessions as a whole: fitted models, kept and pinned as a training does, and live profiles."""

import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from ml.data.interactions import IdMap
from ml.data.sessions import Sessions, from_clicks
from ml.lists import live_session
from ml.models.session.blend import HELD, SessionBlend
from ml.models.session.markov import MarkovTransitions
from ml.models.session.returns import SessionReturns
from nextclick import kv
from nextclick.contracts.events import Event
from nextclick.lake.lists_manifest import PinnedSessionModel
from nextclick.profile.profile import action_of, visitor_key
from nextclick.settings import Settings, load
from serving.export import export
from tests.api_process import answering
from tests.collector_process import Collector
from tests.integration.conftest import Gold

ITEMS = IdMap(pa.array([f"i{number}" for number in range(9)]))
POPULAR = [(f"i{number}", 9.0 - number) for number in range(9)]
RECIPE = SessionBlend(
    parts={"returns": SessionReturns(), "follows": MarkovTransitions(half_life_hours=None)},
    weights={"returns": 1.0, "follows": 1.0, HELD: 1.0},
)


def clicks(*walks: list[int]) -> Sessions:
    """A session a walk, an hour apart."""
    item = np.array([item for walk in walks for item in walk], np.int32)
    person = np.repeat(np.arange(len(walks), dtype=np.int32), [len(walk) for walk in walks])
    return from_clicks(ITEMS, person, item, np.arange(len(item)) * 1_000_000, timedelta(minutes=30))


IN_ORDER = clicks(*[[at, at + 1, at + 2] for at in range(7)] * 3)
BACK = clicks(*[[at, at + 1, at] for at in range(8)] * 3)


def seen(settings: Settings, visitor: str, *items: str, ago: int = 0) -> None:
    """The visitor has viewed these items, the last of them a second and `ago` ms ago."""
    now = int(time.time() * 1000) - ago
    events = [
        Event(event="view_item", event_id=f"{visitor}{at}", client_time=now - (len(items) - at) * 1_000, item_id=item)
        for at, item in enumerate(items)
    ]
    actions = [action for event in events if (action := action_of(event, now))]
    kv.open_profiles(settings).merge({visitor_key("default", visitor): actions})


def furnished(lake: Path, sessions: Sessions, repeats: bool) -> Settings:
    """Lists, in which i8 resembles everything, and a model of open sessions."""
    settings = load(lake=lake, environ={})
    settings.lake.prepare()
    recipe = live_session.LiveRecipe(name="blend", recipe=RECIPE, repeats=repeats)
    pinned = live_session.keep(settings.lake, "lists/1/session-0", live_session.LiveChoice(recipe), sessions)
    similar = {f"i{number}": [("i8", 1.0)] for number in range(8)}
    Gold(settings).full({}, POPULAR, similar, session=pinned)
    export.run(settings)
    return settings


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return furnished(tmp_path_factory.mktemp("session") / "lake", BACK, repeats=True)


@pytest.fixture(scope="module")
def api(shop: Settings) -> Iterator[Collector]:
    with answering(shop.lake.root) as running:
        yield running


def explained(api: Collector, visitor: str) -> tuple[dict[str, Any], dict[str, float]]:
    """What is said of the open session, and how likely each item of the answer is to follow it."""
    answer = api.ask(f"/v1/recommendations?visitor_id={visitor}&n=9&explain=true").json
    return answer["session"], {item["item_id"]: item["terms"]["similar"] for item in answer["items"]}


def test_an_open_session_is_answered_by_the_live_model_which_knows_that_people_return(
    api: Collector, shop: Settings
) -> None:
    seen(shop, "returning", "i3", "i4")
    session, similar = explained(api, "returning")
    assert session == {"by": "live", "model": "blend"}
    assert max(similar, key=similar.__getitem__) == "i3"
    assert similar["i3"] == 1.0
    assert api.wait_for(lambda events: any(event["properties"]["session"] == "live" for event in events))


def test_without_an_open_session_the_lists_of_the_last_items_answer(api: Collector, shop: Settings) -> None:
    seen(shop, "away", "i3", "i4", ago=3_600_000)
    session, similar = explained(api, "away")
    assert session == {"by": "lists", "reason": "No session is open."}
    assert similar["i8"] == 1.0


def test_what_the_model_does_not_know_is_left_to_the_lists(api: Collector, shop: Settings) -> None:
    seen(shop, "elsewhere", "unheard of")
    assert explained(api, "elsewhere")[0]["by"] == "nothing"
    assert explained(api, "nobody")[0]["by"] == "nothing"


@pytest.mark.parametrize("how", ["missing", "damaged", "none"])
def test_a_model_that_cannot_be_used_costs_no_list_and_the_answer_says_why(how: str, tmp_path: Path) -> None:
    settings = furnished(tmp_path / "lake", IN_ORDER, repeats=False)
    folder = Path(settings.lake.shared) / "lists/1/session-0"
    if how == "missing":
        (folder / "card.json").unlink()
    if how == "damaged":
        (folder / "model.npz").write_bytes(b"no npz")
    if how == "none":
        Gold(settings).full({}, POPULAR, {"i1": [("i8", 1.0)]}, session=PinnedSessionModel(reason="too few clicks"))
        export.run(settings)
    seen(settings, "v", "i0", "i1")
    with answering(settings.lake.root) as running:
        session, similar = explained(running, "v")
    assert session["by"] == "lists"
    assert session["reason"] == (
        "too few clicks" if how == "none" else "The session model cannot be used; the log says why."
    )
    assert similar["i8"] == 1.0


def test_in_a_world_of_one_order_each_item_leads_to_the_next(tmp_path: Path) -> None:
    settings = furnished(tmp_path / "lake", IN_ORDER, repeats=False)
    seen(settings, "v", "i2", "i3")
    with answering(settings.lake.root) as running:
        session, similar = explained(running, "v")
    assert session["by"] == "live"
    assert max(similar, key=similar.__getitem__) == "i4"
