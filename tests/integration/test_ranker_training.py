"""The learned ranker from silver.served_items to what answers are ranked by, with MLflow; and LightGBM is imported where it ranks alone."""

import subprocess
import sys
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ml.data import clicks
from ml.jobs import train_ranker
from ml.models.ctr import lambdamart
from ml.registry import single_file, tracking
from nextclick.ctr import FEATURES
from nextclick.next_item import ranker
from nextclick.next_item.ranker import LearnedRanker, RankerCard
from nextclick.settings import Settings, load
from serving.export import export
from tests import table_rows
from tests.integration.conftest import Gold
from tests.serving_index import served
from tests.table_rows import NOON


@pytest.fixture
def settings(tmp_path: Any) -> Settings:
    few = {"NEXTCLICK_CTR__MIN_SHOWN": "500", "NEXTCLICK_CTR__MIN_CLICKS": "20"}
    settings = load(tmp_path / "lake", profile="test", environ=few)
    settings.lake.prepare()
    return settings


def answers(number: int, together: bool = True) -> list[dict[str, Any]]:
    """Answers of four items. What is personal is bought where it is new, and only there: no sum of both says that.

    Not `together`: items are bought as the score ranks them.
    """
    rows = []
    for answer in range(number):
        at = NOON + timedelta(minutes=answer)
        for place in range(4):
            personal, new = float(place % 2), float(place // 2)
            likely = personal == new if together else place == 3
            bought = at if likely and (answer * 7 + place * 3) % 10 < 7 else None
            features = dict.fromkeys(FEATURES, 0.5) | {"personal": personal, "recency": new}
            known = {"site": "default", "request_id": f"r{answer:05}", "item_id": f"i{place}", "position": place + 1}
            times = {"served_at": at, "shown_at": at, "clicked_at": bought, "purchased_at": bought}
            rows.append(
                known
                | times
                | {"features": list(features.items()), "revenue": [], "propensity": 0.05 if place else 1.0}
            )
    return rows


def test_rows_have_the_highest_grade_of_what_came_of_them_and_bounded_weights(settings: Settings) -> None:
    rows = [*answers(4)[:12], answers(100)[-1]]
    for row, act in zip(rows, ("purchased_at", "carted_at", "clicked_at", None), strict=False):
        row |= dict.fromkeys(("purchased_at", "carted_at", "clicked_at")) | ({act: row["served_at"]} if act else {})
    table_rows.write(settings.lake, "silver.served_items", rows)
    shown, _ = clicks.read(settings)
    assert shown.grade.tolist()[:4] == [3, 2, 1, 0]
    assert shown.clicked.tolist()[:4] == [0, 0, 1, 0]
    assert shown.weight.tolist()[:4] == [1, 10, 10, 10]


def test_it_is_served_while_it_is_surely_better_and_no_longer(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    table_rows.write(settings.lake, "silver.served_items", answers(100))
    assert "ctr.min_shown = 500" in str(train_ranker.run(settings).details["reason"])

    table_rows.write(settings.lake, "silver.served_items", answers(2_000), mode="overwrite")
    trained = train_ranker.run(settings)
    assert (trained.details["passed"], trained.details["reason"]) == (1, None)
    assert trained.details["ndcg@10"] > trained.details["ndcg@10.score"]  # type: ignore[operator]
    assert train_ranker.run(settings).details["reason"] == "Nothing has changed since the last training."
    stored = ranker.read(settings.lake)
    assert stored is not None
    assert stored.card.version == "1"

    columns = pd.DataFrame([dict.fromkeys(FEATURES, 0.5) | {"personal": 1.0, "recency": new} for new in (0.0, 1.0)])
    by_mlflow = tracking.load(settings.lake, "ranker").predict(columns)["score"].to_numpy()
    Gold(settings).full({}, [("i0", 1.0)])
    assert export.run(settings).details["kind"] == "full"
    index = served(settings)
    assert index.ranker is not None
    own = index.ranker.scores({name: columns[name].to_numpy() for name in FEATURES})
    assert own == pytest.approx(1 / (1 + np.exp(-by_mlflow)))
    assert own[1] > own[0]

    table_rows.write(settings.lake, "silver.served_items", answers(2_000, together=False), mode="overwrite")
    monkeypatch.setattr(single_file, "register", lambda *_, **champion: str(champion))  # MLflow has had its look
    refused = train_ranker.run(settings)
    assert refused.details["version"] == "{'champion': False}"
    assert "not surely better" in str(refused.details["reason"])
    assert ranker.read(settings.lake) is None
    export.run(settings)
    assert served(settings).ranker is None


def test_lightgbm_is_imported_by_who_ranks_with_it_alone(settings: Settings) -> None:
    Gold(settings).full({}, [("i0", 1.0)])
    export.run(settings)

    def imported() -> bool:
        script = (
            "import sys; from pathlib import Path; from nextclick.settings import load; from nextclick import kv;"
            "from serving.api import server; from serving.index import index;"
            f"settings = load(Path({str(settings.lake.root)!r}), environ={{}}); index.load(kv.open_table(settings).snapshot());"
            "print('lightgbm' in sys.modules)"
        )
        return (
            subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout
            == "True\n"
        )

    assert not imported()
    table_rows.write(settings.lake, "silver.served_items", answers(1_000))
    trees = lambdamart.fit(clicks.read(settings)[0], 20).model_to_string()
    ranker.write(settings.lake, LearnedRanker(RankerCard(version="1", trees=20, sha256=ranker.sha256(trees)), trees))
    export.run(settings)
    assert imported()
