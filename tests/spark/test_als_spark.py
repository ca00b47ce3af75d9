"""The factorization fitted by Spark ML: the objective that folding in solves, the artifact of all factorizations."""

from pathlib import Path

import msgspec
import numpy as np
import pytest
from pyspark.sql import SparkSession

from ml.data.interactions import TableVersion
from ml.jobs.train import TrainingRun, fit
from ml.models.registry import plain_als
from ml.models.user_item import als_spark
from ml.models.user_item.als import AlsModel
from ml.models.user_item.popular import Popular
from ml.registry import artifact
from nextclick.settings import load
from tests.unit.ml.test_models import EVERYBODY, TWO

pytestmark = pytest.mark.spark


def test_two_tastes_are_told_apart_and_the_model_survives_its_artifact(spark: SparkSession, tmp_path: Path) -> None:
    settings = load(tmp_path / "lake", profile="test", environ={})
    settings.lake.prepare()
    recipe = msgspec.structs.replace(plain_als(settings), engine="spark", factors=4, iterations=6, regularization=0.05)
    fitted = fit(TrainingRun(settings, TWO, TableVersion("", 0, "")), recipe, Popular())
    model = fitted.model
    assert isinstance(model, AlsModel)
    lists = model.recommend(EVERYBODY, 1, TWO.seen)
    wanted = [f"{'ab'[n // 10]}{n % 6}" for n in range(20)]  # the one item of their taste that each leaves out
    people = TWO.people.rows([f"p{n}" for n in range(20)])
    assert TWO.items.take(lists.items[people, 0]).to_pylist() == wanted
    again = artifact.load(str(tmp_path / "model"), fitted.save(str(tmp_path / "model"))).model
    assert np.array_equal(again.recommend(EVERYBODY, 3).items, model.recommend(EVERYBODY, 3).items)
    # Spark solves people last, against the items as they are: folding somebody in anew must change nothing.
    solved = als_spark.solve(recipe.confidence(TWO).tocsr(), model.item_factors, recipe.regularization)
    assert solved == pytest.approx(model.person_factors, abs=2e-4)
