"""The learned ranker, from answers through what was shown to answers that it ranks, with MLflow; who ranks with it imports LightGBM."""

import asyncio
import json
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ml.data import clicks
from ml.jobs import train_ranker
from ml.models.ctr import lambdamart
from ml.registry import single_file, tracking
from nextclick.ctr import FEATURES
from nextclick.landing.reader import read_segment, segments
from nextclick.next_item import ranker
from nextclick.next_item.ranker import LearnedRanker, RankerCard
from nextclick.settings import Settings, load
from serving.answers import lists
from serving.engine import Engine
from serving.export import export
from serving.schema.requests import PersonalizeRequest
from serving.schema.responses import Personalized
from tests import table_rows
from tests.integration.conftest import Gold
from tests.serving_index import served
from tests.table_rows import NOON


@pytest.fixture
def settings(tmp_path: Any, mlflow_store: Path) -> Settings:
    few = {"NEXTCLICK_CTR__MIN_SHOWN": "500", "NEXTCLICK_CTR__MIN_CLICKS": "20"}
    settings = load(tmp_path / "lake", profile="test", environ=few)
    settings.lake.prepare()
    shutil.copy(mlflow_store, settings.lake.state)
    return settings


def answers(number: int) -> list[dict[str, Any]]:
    """Answers of four items. What is personal is bought where it is new, and only there: no sum of both says that."""
    rows = []
    for answer in range(number):
        at = NOON + timedelta(minutes=answer)
        for place in range(4):
            personal, new = float(place % 2), float(place // 2)
            bought = at if personal == new and (answer * 7 + place * 3) % 10 < 7 else None
            features = dict.fromkeys(FEATURES, 0.5) | {"personal": personal, "recency": new}
            known = {"site": "default", "request_id": f"r{answer:05}", "item_id": f"i{place}", "position": place + 1}
            times = {"served_at": at, "shown_at": at, "clicked_at": bought, "purchased_at": bought}
            rows.append(
                known
                | times
                | {"features": list(features.items()), "revenue": [], "propensity": 0.05 if place else 1.0}
            )
    return rows


def answered(settings: Settings, metrics: Any, people: Sequence[str]) -> dict[str, Personalized]:
    """The API's answer for each of them."""
    engine = Engine(settings, metrics)
    engine.start()
    try:
        asked = {name: PersonalizeRequest(user_id=name, surface="home", feed=10, explain=True) for name in people}
        return {name: asyncio.run(lists.personalize(engine, "default", request)) for name, request in asked.items()}
    finally:
        engine.close()


def recorded(settings: Settings) -> list[dict[str, Any]]:
    """What the landing log says of each answer."""
    lines = [line for segment in segments(settings.lake.landing) for line in read_segment(segment.path)]
    return [json.loads(line.payload)["properties"] for line in lines]


def visits(
    records: Sequence[Mapping[str, Any]], number: int, likely: Callable[[float, int], float]
) -> list[dict[str, Any]]:
    """Answers as they are on record, shown in so many visits; an item is clicked with a probability by how personal it is, and by its
    place.
    """
    draw, rows = random.Random(1), []
    for visit in range(number):
        properties, at = records[visit % len(records)], NOON + timedelta(minutes=visit)
        items, features = json.loads(properties["items"]), json.loads(properties["features"])
        for place, item in enumerate(items):
            own = {name: values[place] for name, values in features.items()}
            clicked = at if draw.random() < likely(own["personal"], place + 1) else None
            known = {"site": "default", "request_id": f"r{visit:05}", "item_id": item, "position": place + 1}
            times = {"served_at": at, "shown_at": at, "clicked_at": clicked, "propensity": 1.0}
            rows.append(known | times | {"features": list(own.items()), "revenue": []})
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


PEOPLE = {
    f"p{person:02}": [(f"i{(person + place) % 30:02}", 1 - place / 20) for place in range(10)] for person in range(30)
}
"""Each has a list of ten items, of which the first is the most personal: 1, .9, .8 and so on."""


def in_the_middle(personal: float, place: int) -> float:
    """People have the top of their lists already, and the end of it leaves them cold: no weight of a sum says that."""
    return 0.5 if 0.35 < personal < 0.75 else 0.05


def from_the_top(personal: float, place: int) -> float:
    """As the score ranks."""
    return 0.6 / place


def test_who_likes_the_middle_of_a_list_is_served_it_first_and_no_longer_when_that_has_passed(
    settings: Settings, metrics: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Answers are the API's, what they were ranked by is what it recorded, and only the clicks are drawn."""
    Gold(settings).full(PEOPLE, [(f"i{n:02}", 1 - n / 100) for n in range(30)])
    export.run(settings)
    before = answered(settings, metrics, [*PEOPLE])
    records = recorded(settings)
    table_rows.write(settings.lake, "silver.served_items", visits(records, 20, in_the_middle))
    assert "ctr.min_shown = 500" in str(train_ranker.run(settings).details["reason"])

    table_rows.write(settings.lake, "silver.served_items", visits(records, 1_500, in_the_middle), mode="overwrite")
    trained = train_ranker.run(settings)
    assert (trained.details["passed"], trained.details["reason"]) == (1, None)
    assert trained.details["ndcg@10"] >= 1.05 * trained.details["ndcg@10.score"]  # type: ignore[operator]
    assert train_ranker.run(settings).details["reason"] == "Nothing has changed since the last training."

    export.run(settings)
    index = served(settings)
    assert index.ranker is not None
    columns = pd.DataFrame([dict.fromkeys(FEATURES, 0.0) | {"personal": personal} for personal in (1.0, 0.5)])
    own = index.ranker.scores({name: columns[name].to_numpy() for name in FEATURES})
    by_mlflow = tracking.load(settings.lake, "ranker").predict(columns)["score"].to_numpy()
    assert own == pytest.approx(1 / (1 + np.exp(-by_mlflow)))
    for name, answer in answered(settings, metrics, [*PEOPLE]).items():
        assert answer.weights == {"lambdamart": 1.0}
        middle = {item for item, _ in PEOPLE[name][3:7]}
        assert {item.item_id for item in answer.ranked_feed[:4]} == middle
        assert {item.item_id for item in before[name].ranked_feed[:4]} != middle

    table_rows.write(settings.lake, "silver.served_items", visits(records, 1_500, from_the_top), mode="overwrite")
    monkeypatch.setattr(single_file, "register", lambda *_, **champion: str(champion))  # MLflow has had its look
    refused = train_ranker.run(settings)
    assert refused.details["version"] == "{'champion': False}"
    assert "not surely better" in str(refused.details["reason"])
    assert ranker.read(settings.lake) is None
    export.run(settings)
    [again] = answered(settings, metrics, ["p00"]).values()
    assert [item.item_id for item in again.ranked_feed] == [item.item_id for item in before["p00"].ranked_feed]
    assert again.weights == before["p00"].weights


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
