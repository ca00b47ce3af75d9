"""A flood of 10,000 clicks by four visitors moves no rate where suspects are left out, and every rate where they are not."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ml.data import clicks
from ml.jobs import anomalies
from nextclick.ctr import FEATURES
from nextclick.settings import Settings, load
from serving.bandits import learn, state
from serving.bandits.trials import Draw
from tests.served_events import event, served
from tests.table_rows import NOON, write

PEOPLE, CLICKS = 2_000, 10_000
ARMS = ("summer", "winter")
Row = dict[str, Any]


def shown(request: str, arm: str, visitor: str, at: datetime, clicked: bool) -> list[Row]:
    """An answer with a banner, that it was shown, and the click."""
    who: dict[str, Any] = {"visitor_id": visitor, "occurred_at": at}
    properties = [("banner", arm)]
    answer = served(request, Draw(bandit="banner:home", arm=arm, propensity=0.5, arms=2), **who)
    acts = ["impression", *(["click"] if clicked else [])]
    return [answer, *(event(kind, request, properties=properties, user_agent="a", **who) for kind in acts)]


def item(request: str, visitor: str, at: datetime, clicked: bool) -> Row:
    """The same as a row of silver.served_items."""
    known = {
        "site": "default",
        "request_id": request,
        "item_id": "i1",
        "visitor_id": visitor,
        "user_agent": "a",
        "revenue": [],
    }
    times = {"served_at": at, "shown_at": at, "clicked_at": at if clicked else None}
    return known | times | {"features": [(name, 0.5) for name in FEATURES]}


def people() -> list[tuple[str, str, str, datetime, bool]]:
    """One answer each, 40 seconds apart: three of ten click on summer, one of ten on winter."""
    return [
        (f"p{n}", ARMS[n % 2], f"v{n}", NOON + timedelta(seconds=40 * n), n // 2 % 10 < (1 if n % 2 else 3))
        for n in range(PEOPLE)
    ]


def flood() -> list[tuple[str, str, str, datetime, bool]]:
    """Four visitors who click on winter, each once in three seconds."""
    start = NOON + timedelta(hours=3)
    return [(f"f{n}", "winter", f"bad{n % 4}", start + timedelta(seconds=0.75 * n), True) for n in range(CLICKS)]


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("flooded")
    settings = load(folder, profile="test", environ={})
    settings.lake.prepare()
    answers = [*people(), *flood()]
    write(settings.lake, "silver.events", [row for answer in answers for row in shown(*answer)])
    items = [item(request, visitor, at, clicked) for request, _, visitor, at, clicked in answers]
    write(settings.lake, "silver.served_items", items)
    write(settings.lake, "silver.user_agents", [])
    anomalies.run(settings, now=datetime(2027, 1, 1, tzinfo=UTC))
    return folder


def rates(folder: Path, left_out: bool) -> tuple[dict[str, float], float]:
    """Clicks a trial of each arm, and a row of the click model."""
    environ = {"NEXTCLICK_ANOMALIES__LEAVE_OUT_SUSPECTS": str(left_out).lower()}
    settings: Settings = load(folder, profile="test", environ=environ)
    learn.run(settings)
    learned = state.read(settings.lake)
    assert learned is not None
    rows, _ = clicks.read(settings)
    return {name: arm.rewards / arm.trials for name, arm in learned.bandits["banner:home"].items()}, float(
        rows.clicked.mean()
    )


def test_no_rate_moves_by_a_hundredth_where_suspects_are_left_out(lake: Path) -> None:
    arms, clicked = rates(lake, left_out=True)
    assert arms == {"summer": pytest.approx(0.3, rel=0.01), "winter": pytest.approx(0.1, rel=0.01)}
    assert clicked == pytest.approx(0.2, rel=0.01)


def test_unless_a_person_says_so_they_count(lake: Path) -> None:
    assert load(lake, environ={}).anomalies.leave_out_suspects is False
    arms, clicked = rates(lake, left_out=False)
    assert arms["winter"] > 0.9
    assert clicked > 0.8
    assert msgspec.to_builtins(arms["summer"]) == pytest.approx(0.3)
