"""The demo's next best action: estimates beside the truth that its generator knows."""

from pathlib import Path

import numpy as np
import pytest

from demo.outcome.next_best import next_best
from demo.traffic.tastes import Tastes
from nextclick.settings import load
from tests.table_rows import write

PEOPLE = 450


@pytest.fixture
def tastes() -> Tastes:
    """People who come as often as those of the demo."""
    rng, ids = np.random.default_rng(3), np.array([f"p{n:03}" for n in range(PEOPLE)])
    nothing = np.zeros((0, 0), np.float32)
    return Tastes(ids[:0], ids, np.arange(PEOPLE), nothing, nothing, (1 + rng.gamma(1.8, 2.4, PEOPLE)) / 14)


def test_estimates_hold_the_truth_and_a_shop_that_nobody_is_moved_in_gets_none(tastes: Tastes, tmp_path: Path) -> None:
    settings, rng = load(tmp_path, profile="demo"), np.random.default_rng(4)
    away = tastes.stays_away(np.arange(PEOPLE), 3.0)
    foreseen = np.clip(away + rng.normal(0, 0.1, PEOPLE), 0, 1)  # what a model would say, about
    rows = [
        {"model": "churn", "subject_id": f"visitor:{name}", "calibrated": chance}
        for name, chance in zip(tastes.known_ids.tolist(), foreseen.tolist(), strict=True)
    ]
    assert next_best(settings, tastes) is None, "nobody was foreseen"
    write(settings.lake, "gold.predictions", rows)
    fact = next_best(settings, tastes)
    assert fact is not None
    assert (fact.trials, fact.people) == (PEOPLE * 24, PEOPLE)
    for one in (fact.policy, fact.none, fact.discount):
        assert one.low < one.true < one.high
    assert fact.policy.true > fact.discount.true + 0.2 > fact.none.true
    assert fact.serves
    assert fact.over_none > 0
    assert fact.over_discount > 0
    assert 0.2 < fact.offered < 0.9
    assert not fact.unmoved_serves
    assert "none" in fact.unmoved_reason
