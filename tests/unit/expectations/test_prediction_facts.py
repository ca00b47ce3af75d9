"""What is expected of gold.predictions sees rows of another night and tenths that are none."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from expectations.due import due
from expectations.measures.facts import measure
from expectations.measures.measure_context import RunCache
from nextclick.settings import Settings, load
from tests.table_rows import NOON, write


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = load(tmp_path, profile="test", environ={})
    settings.lake.prepare()
    return settings


def person(number: int, decile: int, **more: Any) -> dict[str, Any]:
    row = {"site": "s", "model": "churn", "model_version": "1", "as_of": NOON, "subject_id": f"p{number}"}
    return row | {"decile": decile, "calibrated": number / 100} | more


GOOD = [person(number, 1 + number * 10 // 25) for number in range(25)]


def facts(settings: Settings, rows: list[dict[str, Any]]) -> tuple[float | None, float | None]:
    write(settings.lake, "gold.predictions", rows, mode="overwrite")
    (part,) = due(settings, ["gold.predictions"], all_rows=True)
    seen = measure(part, RunCache(settings))
    assert seen["key_unique"].value == seen["types"].value == 0
    return seen["unlike_moments"].value, seen["uneven_deciles"].value


def test_what_one_training_wrote_holds(settings: Settings) -> None:
    assert facts(settings, GOOD) == (0, 0)
    assert facts(settings, [person(n, 1 + n * 10 // 3) for n in range(3)]) == (0, 0), "three people fill three tenths"
    assert facts(settings, []) == (0, 0)


def test_a_row_of_another_night_or_version_is_seen(settings: Settings) -> None:
    assert facts(settings, [*GOOD[1:], GOOD[0] | {"as_of": NOON + timedelta(days=1)}])[0] == 1
    assert facts(settings, [*GOOD[1:], GOOD[0] | {"model_version": "2"}])[0] == 1
    assert facts(settings, [*GOOD, *(row | {"model": "conversion_7d", "model_version": "2"} for row in GOOD)]) == (0, 0)


def test_tenths_that_are_uneven_or_out_of_order_are_seen(settings: Settings) -> None:
    assert facts(settings, [row | {"decile": max(2, row["decile"])} for row in GOOD])[1] == 1
    assert facts(settings, [GOOD[0] | {"calibrated": 0.9}, *GOOD[1:]])[1] == 1
