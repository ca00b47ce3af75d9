"""The chance of a purchase by hand: levels of a session, and rates that are drawn towards the overall one."""

from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from nextclick.conversion import LEVELS, Rates, count, probability
from nextclick.lake import lake_at
from nextclick.profile import Deed

RATES = Rates((98, 80, 60, 20, 10), (9, 9, 8, 5, 8))
OVERALL = 10 / 100


def deeds(*codes: int) -> list[Deed]:
    """Deeds by code, the newest first."""
    return [Deed(at=100 - place, id=place, code=code) for place, code in enumerate(codes)]


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
    assert probability(deeds(*session), RATES) == pytest.approx(expected)


def test_before_anything_is_counted_nobody_knows() -> None:
    assert [Rates().chance(level) for level in range(len(LEVELS))] == [0.5] * len(LEVELS)


def test_rates_are_counted_from_the_sessions(tmp_path: Path) -> None:
    lake = lake_at(tmp_path / "lake")
    assert count(lake) == Rates()
    rows = {"item_views": [0, 1, 3, 7, 0], "carts": [0, 0, 1, 2, 1], "purchases": [0, 0, 0, 2, 1]}
    write_deltalake(lake.table("silver.sessions"), pa.table(rows))
    assert count(lake) == Rates((5, 3, 2, 1, 3), (2, 1, 1, 1, 2))
