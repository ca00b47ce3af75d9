"""Lists that executors make are those that one process makes: a product of other batches differs in the last bit of a score."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs
from pyspark.sql import SparkSession

from ml.data import interactions
from ml.jobs.train import TrainingRun, fit
from ml.lists import on_executors
from ml.lists.rows import ListStamp, personal_rows
from ml.models.registry import plain_als
from ml.models.user_item.popular import Popular
from ml.registry.artifact import Artifact
from nextclick.contracts import gold_lists
from nextclick.lake import delta, table_files
from nextclick.settings import Settings, load
from tests.conftest import LAKE, WriteInteractions, tastes

pytestmark = pytest.mark.spark


def trained(settings: Settings, write: WriteInteractions) -> Artifact:
    write(settings.lake.root, tastes())
    pairs, source = interactions.read(settings)
    return fit(TrainingRun(settings, pairs, source), plain_als(settings), Popular())


def listed(settings: Settings) -> list[Mapping[str, Any]]:
    table = delta.require(settings.lake, gold_lists.RECOMMENDATIONS.name).to_pyarrow_table()
    rows: list[Mapping[str, Any]] = table.sort_by([("person_id", "ascending"), ("rank", "ascending")]).to_pylist()
    return rows


def alike(there: list[Mapping[str, Any]], here: list[Mapping[str, Any]]) -> None:
    """The same rows, but for a score's last bit, and the places of two items whose scores are one but for that."""
    scores = {(row["person_id"], row["item_id"]): row["score"] for row in here}
    assert len(there) == len(here)
    for one, other in zip(there, here, strict=True):
        assert one["score"] == pytest.approx(other["score"], abs=1e-6)
        own = scores.get((one["person_id"], one["item_id"]), one["score"])  # else it is the last, beside one as good
        assert own == pytest.approx(other["score"], abs=1e-6)
        assert {**one, "score": 0, "item_id": ""} == {**other, "score": 0, "item_id": ""}


@pytest.mark.parametrize("mask", ["true", "false"])
def test_each_row_is_that_of_one_process(
    spark: SparkSession,
    tmp_path: Path,
    write_interactions: WriteInteractions,
    mask: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    environ = {"NEXTCLICK_SPARK__LISTS_FROM": "1", "NEXTCLICK_LISTS__MASK_SEEN": mask, "NEXTCLICK_LISTS__TOP_N": "7"}
    settings = load(tmp_path / LAKE, profile="test", environ=environ)
    settings.lake.prepare()
    artifact, stamp = trained(settings, write_interactions), ListStamp(settings.site, "7", datetime.now(UTC))
    assert on_executors.why_not(settings, artifact) == ""
    monkeypatch.setattr(on_executors, "BATCH", 25)  # sixty people: several batches, and a last one that is not full
    people = artifact.people.rows(artifact.people.ids)
    rows = personal_rows(artifact, people, settings.lists, stamp)
    table_files.replace(settings.lake, gold_lists.RECOMMENDATIONS, rows)
    here = listed(settings)
    on_executors.replace(settings, artifact, stamp, f"{settings.lake.shared}/lists/test/people")
    alike(listed(settings), here)
    assert {row["person_id"] for row in here} == {f"p{number}" for number in range(60)}
    assert {row["rank"] for row in here} == set(range(1, 8))


def test_a_model_that_needs_more_than_a_vector_and_a_few_people_are_listed_here(
    tmp_path: Path, write_interactions: WriteInteractions
) -> None:
    few, many = (
        load(tmp_path / LAKE, profile="test", environ={"NEXTCLICK_SPARK__LISTS_FROM": least}) for least in ("61", "60")
    )
    artifact = trained(few, write_interactions)
    assert on_executors.why_not(few, artifact) == "60 people, spark.lists_from = 61"
    assert on_executors.why_not(load(tmp_path / LAKE, environ={}), artifact) == "60 people, spark.lists_from = 0"
    assert on_executors.why_not(many, artifact) == ""
    popular = replace(artifact, model=artifact.popular, card=structs.replace(artifact.card, recipe=Popular()))
    assert on_executors.why_not(many, popular) == "a list by popular needs more than a person's vector"
