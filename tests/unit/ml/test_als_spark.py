"""The factorization as Spark ML penalizes it, without a JVM; tests/spark/test_als_spark.py fits one."""

from pathlib import Path

import msgspec
import numpy as np
import pytest
from scipy.sparse import csr_matrix

from ml.models.protocol import Recipe
from ml.models.registry import plain_als
from ml.models.user_item import als_spark
from ml.models.user_item.als import AlsModel
from ml.selection import model_candidates
from ml.selection.select import affordable
from nextclick.errors import ModelError
from nextclick.settings import load
from tests.unit.ml.test_models import TWO


def test_a_vector_solves_the_equation_of_its_person() -> None:
    """One factor, items 1 and 2 long, c = 3 and 2: (1 + 4 + 2·1 + 1·4 + 0.5·2) x = 3·1 + 2·2."""
    confidence = csr_matrix(np.array([[3.0, 2.0], [0.0, 0.0]], np.float32))
    solved = als_spark.solve(confidence, np.array([[1.0], [2.0]], np.float32), 0.5)
    assert solved[:, 0] == pytest.approx([7 / 12, 0])


def test_whoever_comes_is_solved_and_nobody_else_moves() -> None:
    settings = load(environ={})
    recipe = msgspec.structs.replace(plain_als(settings), engine="spark", factors=2, regularization=0.1)
    random = np.random.default_rng(1)
    people, items = (random.random((count, 2)).astype(np.float32) for count in (len(TWO.people) - 1, len(TWO.items)))
    model = AlsModel(recipe, people, items, np.ones(len(items), np.float32))
    new = np.array([len(TWO.people) - 1], np.int32)
    after = model.fold_in(TWO, new, np.zeros(0, np.int32))
    expected = als_spark.solve(recipe.confidence(TWO)[new], items, 0.1)
    assert after.person_factors[new] == pytest.approx(expected)
    assert (after.person_factors[:-1] == people).all()
    assert (after.item_factors == items).all()
    assert after.embedding() is None


def test_from_as_many_pairs_on_spark_fits_and_the_reason_is_said(tmp_path: Path) -> None:
    pairs = len(TWO)
    by_spark, here, never = (
        load(tmp_path, environ={"NEXTCLICK_SPARK__FIT_FROM": f"{n}"}) for n in (pairs, pairs + 1, 0)
    )
    candidates, skipped = affordable(by_spark, TWO)
    assert {"als_spark", "als_spark_trending"} <= candidates.keys()
    assert skipped["als"] == f"{pairs} pairs are at least spark.fit_from {pairs}: als_spark is fitted"
    candidates, skipped = affordable(here, TWO)
    assert "als" in candidates
    assert skipped["als_spark"] == f"{pairs} pairs are fewer than spark.fit_from {pairs + 1}: als is fitted"
    assert not [name for name in affordable(never, TWO)[0] if "spark" in name]
    assert not model_candidates.fits_by_spark(never, pairs)


def test_without_a_session_the_fit_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pyspark.sql.SparkSession.getActiveSession", lambda: None)
    recipe: Recipe = msgspec.structs.replace(plain_als(load(environ={})), engine="spark")
    with pytest.raises(ModelError, match="no session is open"):
        recipe.fit(TWO)
