"""The chance of a purchase by hand: levels of a session, and rates that are drawn towards the overall one."""

from pathlib import Path
from typing import Any

import pytest

from nextclick.profile.conversion import LEVELS, ConversionRates, count, probability
from nextclick.profile.profile import Action
from nextclick.settings import load
from tests.table_rows import write

Row = dict[str, Any]

RATES = ConversionRates((98, 80, 60, 20, 10), (9, 9, 8, 5, 8))
OVERALL = 10 / 100


def actions(*codes: int) -> list[Action]:
    """Actions by code, the newest first."""
    return [Action(at=100 - place, id=place, code=code) for place, code in enumerate(codes)]


VIEW, SEARCH, CART, PURCHASE = 2, 3, 4, 6


@pytest.mark.parametrize(
    ("session", "level"),
    [
        ([], 0),
        ([SEARCH], 0),
        ([VIEW], 1),
        ([VIEW, SEARCH, VIEW], 2),
        ([VIEW] * 4, 2),
        ([VIEW] * 5, 3),
        ([VIEW, CART], 4),
        ([PURCHASE, CART, VIEW], 0),
        ([VIEW, PURCHASE, CART], 1),
    ],
)
def test_a_session_has_the_chance_of_the_level_that_it_reached_since_its_last_purchase(
    session: list[int], level: int
) -> None:
    expected = (RATES.bought[level] + 20 * OVERALL) / (RATES.sessions[level] + 20)
    assert probability(actions(*session), RATES) == pytest.approx(expected)


def test_before_anything_is_counted_nobody_knows() -> None:
    assert [ConversionRates().chance(level) for level in range(len(LEVELS))] == [0.5] * len(LEVELS)


def test_rates_are_counted_from_the_sessions_of_people_on_the_site(tmp_path: Path) -> None:
    settings = load(tmp_path / "lake", environ={})
    assert count(settings, "default") == ConversionRates()

    def session(views: int, carts: int, purchases: int, agent: str | None = "Firefox", site: str = "default") -> Row:
        counts = {"item_views": views, "carts": carts, "purchases": purchases}
        return {"site": site, "session_id": str(views), "user_agent": agent} | counts

    people = [session(0, 0, 0), session(1, 0, 0, None), session(3, 1, 0), session(7, 2, 2), session(0, 1, 1)]
    others = [session(9, 0, 0, "bot"), session(9, 9, 9, site="other")]
    write(settings.lake, "silver.sessions", people + others)
    before = count(settings, "default")
    assert before.sessions[0] == 6, "nobody is known for a bot yet"
    write(settings.lake, "silver.user_agents", [{"user_agent": "bot"}, {"user_agent": "Firefox", "is_bot": False}])
    assert count(settings, "default") == ConversionRates((5, 3, 2, 1, 3), (2, 1, 1, 1, 2))
    assert count(settings, "other") == ConversionRates((1, 1, 1, 1, 1), (1, 1, 1, 1, 1))
