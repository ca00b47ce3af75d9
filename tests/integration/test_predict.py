"""The step `predict`: from silver.events to gold.predictions, registered in MLflow where it passed, once for the same data."""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ml.jobs import predict
from ml.registry import tracking
from nextclick.errors import ModelError
from nextclick.lake import delta, files
from nextclick.profile import predictions
from nextclick.settings import Settings, load
from tests import table_rows

START = datetime(2026, 1, 1, tzinfo=UTC)
DAYS = {"CHURN_DAYS": "2", "STEP_DAYS": "1", "FRAMES": "3", "MIN_HAPPENED": "20", "MAX_ECE": "0.05"}


@pytest.fixture
def settings(tmp_path: Any, mlflow_store: Path) -> Settings:
    settings = load(
        tmp_path / "lake",
        profile="test",
        environ={f"NEXTCLICK_PREDICTIONS__{key}": value for key, value in DAYS.items()},
    )
    settings.lake.prepare()
    shutil.copy(mlflow_store, settings.lake.state)
    return settings


def events(people: int, days: int) -> list[dict[str, Any]]:
    """Every other person comes on nine days of ten, the others on one of five; who comes does so between noon and midnight."""
    rng = np.random.default_rng(1)
    rows = []
    for number in range(people):
        for day in range(days):
            if rng.random() < (0.9 if number % 2 else 0.2):
                at = START + timedelta(days=day, hours=12, seconds=int(rng.integers(43_000)))
                times = {"occurred_at": at, "received_at": at, "client_time": at}
                who = {"site": "default", "visitor_id": f"v{number:03}", "event_id": f"e{number} {day}"}
                rows.append(who | times | {"event": "page_view", "channel": "direct"})
    return rows


def test_people_are_foreseen_by_what_passed_and_the_same_data_is_not_learned_twice(settings: Settings) -> None:
    table_rows.write(settings.lake, "silver.events", events(400, 12))
    table_rows.write(settings.lake, "silver.user_agents", [])
    report = predict.run(settings)
    assert (report.details["churn"], report.details["churn.auc"] > 0.8) == ("version 1", True)  # type: ignore[operator]
    assert "conversion_7d: 11.5 days of events; 21.0 are needed; " in str(report.details["reason"])
    assert "conversion_session: It happened in 0 of" in str(report.details["reason"])

    rows = delta.require(settings.lake, "gold.predictions").to_pyarrow_table().to_pylist()
    assert len(rows) == report.written == len({row["subject_id"] for row in rows})
    assert {(row["model"], row["model_version"], row["subject_kind"], row["horizon_s"]) for row in rows} == {
        ("churn", "1", "visitor", 2 * 86_400)
    }
    chance = {row["subject_id"]: row["calibrated"] for row in rows}
    often = [value for person, value in chance.items() if int(person[-1]) % 2]
    seldom = [value for person, value in chance.items() if not int(person[-1]) % 2]
    assert np.mean(often) < 0.1
    assert 0.5 < np.mean(seldom) < 0.8, "0.8² = 0.64 of those who come on one day of five stay away for two days"
    assert all(len(row["reasons"]) == 3 for row in rows)
    first, last = (np.mean([row["calibrated"] for row in rows if row["decile"] == decile]) for decile in (1, 10))
    assert first < last

    assert predict.run(settings).details["reason"] == "Nothing has changed since the last training."
    known = predictions.read(settings.lake)
    assert known is not None
    model = predictions.model(settings.lake, "churn", known.served["churn"])
    assert tracking.load(settings.lake, "churn").predict({name: [0.0] for name in model.coefficients})["probability"][
        0
    ] == (pytest.approx(model.of(dict.fromkeys(model.coefficients, 0.0))))
    files.write(predictions.address(settings.lake, "churn"), b"{}")
    with pytest.raises(ModelError, match="not the file that was registered"):
        predictions.model(settings.lake, "churn", known.served["churn"])


def test_people_who_have_changed_are_told() -> None:
    standing = predictions.Standing(version="1", digest="", reasons=[], metrics={"psi": 0.3})
    left = predictions.Predictions(key="", as_of=0, table_version=0, served={"churn": standing}, absent={})
    assert "churn: its scores are spread otherwise than when it was learned (PSI 0.30)" in str(
        predict._report(left, 1, 0.0).details
    )


def test_where_nothing_can_be_learned_nobody_is_foreseen_and_it_says_why(settings: Settings) -> None:
    table_rows.write(settings.lake, "silver.events", events(10, 3))
    report = predict.run(settings)
    assert report.written == 0
    assert "churn: 2." in str(report.details["reason"])
    assert "days of events; 6.0 are needed" in str(report.details["reason"])
    assert delta.require(settings.lake, "gold.predictions").to_pyarrow_table().num_rows == 0
