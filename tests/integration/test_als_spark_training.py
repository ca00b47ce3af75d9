"""A training whose factorization Spark fits: chosen, judged, listed, updated and taken back as any other.

A plain solver of the same objective stands for Spark here; that Spark solves that objective is shown in tests/spark/test_als_spark.py.
"""

from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pytest
from scipy.sparse import csr_matrix

from ml.data.interactions import Floats
from ml.jobs import publish_lists, rollback, train, update
from ml.models.user_item import als_spark
from nextclick.lake import delta, lists_manifest
from nextclick.settings import Settings, load
from tests.conftest import LAKE, WriteInteractions, tastes


def alternating(
    confidence: csr_matrix, factors: int, iterations: int, regularization: float, alpha: float, seed: int
) -> tuple[Floats, Floats]:
    by_person, by_item = confidence.tocsr(), confidence.T.tocsr()
    begun = np.random.default_rng(seed).random((confidence.shape[1], factors)) / factors
    items: Floats = begun.astype(np.float32)
    for _ in range(iterations):
        people = als_spark.solve(by_person, items, regularization)
        items = als_spark.solve(by_item, people, regularization)
    return als_spark.solve(by_person, items, regularization), items


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write_interactions: WriteInteractions) -> Settings:
    monkeypatch.setattr(als_spark, "fit_factors", alternating)
    monkeypatch.setattr("spark_jobs.session.open_session", lambda _: None)
    environ = {"NEXTCLICK_EVALUATION__CANDIDATES": '["als", "als_spark"]', "NEXTCLICK_SPARK__FIT_FROM": "540"}
    environ |= {"NEXTCLICK_ALS__ITERATIONS": "3", "NEXTCLICK_ALS__FACTORS": "8", "NEXTCLICK_REPORT__ENABLED": "false"}
    settings = load(tmp_path / LAKE, profile="test", environ=environ)
    settings.lake.prepare()
    write_interactions(settings.lake.root, tastes())
    return settings


def test_it_is_chosen_judged_listed_updated_and_taken_back(
    settings: Settings, write_interactions: WriteInteractions
) -> None:
    trained = train.run(settings)
    assert (trained.details["passed"], trained.details["chosen"]) == (1, "als_spark")
    assert trained.details["skipped.als"] == "540 pairs are at least spark.fit_from 540: als_spark is fitted"
    publish_lists.run(settings)
    first = lists_manifest.read(settings.lake)
    assert first is not None
    write_interactions(settings.lake.root, [("newcomer", f"i1{item}", 1.0, 21, 21) for item in range(3)])
    assert update.run(settings).written == 1
    table = delta.require(settings.lake, "gold.recommendations").to_pyarrow_dataset()
    listed = table.to_table(filter=pc.field("person_id") == "newcomer").sort_by("rank")["item_id"].to_pylist()
    assert set(listed[:7]) == {f"i1{item}" for item in range(3, 10)}, "the rest of their taste"
    train.run(settings)
    publish_lists.run(settings)
    second = lists_manifest.read(settings.lake)
    assert second is not None
    assert second.model_version != first.model_version
    rollback.run(settings, first)
    now = lists_manifest.read(settings.lake)
    assert now is not None
    assert (now.model_version, now.lists_id) == (first.model_version, first.lists_id)
