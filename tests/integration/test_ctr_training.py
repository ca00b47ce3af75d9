"""The click model from silver.served_items to what the next export takes along, with MLflow."""

import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ml.data import clicks
from ml.jobs import train_ctr
from ml.registry import tracking
from nextclick.ctr import FEATURES, read
from nextclick.settings import Settings, load
from tests import table_rows
from tests.table_rows import NOON

ROBOT = "Mozilla/5.0 (compatible; Googlebot/2.1)"


@pytest.fixture
def settings(tmp_path: Any, mlflow_store: Path) -> Settings:
    few = {"NEXTCLICK_CTR__MIN_SHOWN": "500", "NEXTCLICK_CTR__MIN_CLICKS": "20"}
    settings = load(tmp_path / "lake", profile="test", environ=few)
    settings.lake.prepare()
    shutil.copy(mlflow_store, settings.lake.state)
    return settings


def item(number: int, place: int, **fields: Any) -> dict[str, Any]:
    """An item of answer `number`, a minute after the one before; every second suits: of those 7 of 10 are clicked, else 2."""
    at, suits = NOON + timedelta(minutes=number), (number + place) % 2
    values = dict.fromkeys(FEATURES, 0.5) | {"personal": float(suits)}
    clicked = at if (number * 7 + place * 3) % 10 < (7 if suits else 2) else None
    known = {"site": "default", "request_id": f"r{number:04}", "item_id": f"i{place}", "position": place}
    times = {"served_at": at, "shown_at": at, "clicked_at": clicked}
    return known | times | {"features": list(values.items()), "revenue": []} | fields


def test_rows_are_what_people_were_shown_with_features_and_can_no_longer_click(settings: Settings) -> None:
    partly = list(dict.fromkeys(FEATURES[1:], 0.5).items())
    rows = [item(number, place) for number in range(3) for place in (1, 2)]
    rows += [item(3, 1, shown_at=None), item(4, 1, features=None), item(5, 1, features=partly)]
    rows += [item(6, 1, user_agent=ROBOT), item(7, 1, site="another")]
    rows += [item(62, 1), item(63, 1), item(122, 1)]  # the last hour (attribution.click_minutes of the test profile)
    table_rows.write(settings.lake, "silver.served_items", rows)
    table_rows.write(settings.lake, "silver.user_agents", [{"user_agent": ROBOT, "is_bot": True}])
    examples, _ = clicks.read(settings)
    assert examples.answer.tolist() == [0, 0, 1, 1, 2, 2, 3]
    assert examples.position.tolist() == [1, 2, 1, 2, 1, 2, 1]
    assert examples.clicked.tolist() == [float(bool(row["clicked_at"])) for row in (*rows[:6], rows[11])]
    assert examples.features[:, FEATURES.index("personal")].tolist() == [1, 0, 0, 1, 1, 0, 1]


def test_it_waits_for_enough_rows_is_registered_behind_its_gate_and_is_not_trained_twice(settings: Settings) -> None:
    table_rows.write(settings.lake, "silver.served_items", [item(number, 1) for number in range(100)])
    waiting = train_ctr.run(settings)
    assert "ctr.min_shown = 500" in str(waiting.details["reason"])
    assert read(settings.lake) is None

    table_rows.write(
        settings.lake, "silver.served_items", [item(n, place) for n in range(100, 500) for place in (1, 2)]
    )
    trained = train_ctr.run(settings)
    assert (trained.details["passed"], trained.details["version"], trained.details["reason"]) == (1, "1", None)
    model = read(settings.lake)
    assert model is not None
    columns = {name: np.array([0.5, 0.5]) for name in FEATURES} | {"personal": np.array([0.0, 1.0])}
    assert model.predict(columns) == pytest.approx([0.2, 0.6], abs=0.06)

    scored = tracking.load(settings.lake, "ctr").predict(pd.DataFrame(columns))
    assert scored["probability"].tolist() == pytest.approx(model.predict(columns).tolist())
    assert train_ctr.run(settings).details["reason"] == "Nothing has changed since the last training."

    noise = [
        item(n, place, features=list(dict.fromkeys(FEATURES, 0.5).items()))
        for n in range(500, 2500)
        for place in (1, 2)
    ]
    table_rows.write(settings.lake, "silver.served_items", noise)
    refused = train_ctr.run(settings)
    assert "not surely better" in str(refused.details["reason"])
    assert read(settings.lake) == model
