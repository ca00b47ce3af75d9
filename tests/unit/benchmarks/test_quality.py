"""`nextclick bench quality`: JSON alone on stdout, of a folder that anybody can make."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from click.testing import CliRunner

from benchmarks.models import quality
from cli.main import cli
from ml.data.interactions import Interactions, from_ids

TRAIN = "".join(
    f"{person} {' '.join(str(first + item) for item in range(8) if item != person % 8)}\n"
    for person in range(32)
    for first in (8 * (person // 16),)
)
TEST = "".join(f"{person} {8 * (person // 16) + person % 8}\n" for person in range(32))
"""Two tastes of eight items; each person lacks one of them, which is the test."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "train.txt").write_text(TRAIN, encoding="utf-8")
    (tmp_path / "test.txt").write_text(TEST, encoding="utf-8")
    return tmp_path


def call(*options: str) -> dict[str, object]:
    done = CliRunner().invoke(cli, ["bench", "quality", *options, "--json"], catch_exceptions=False)
    report: dict[str, object] = json.loads(done.stdout)
    return report


def test_what_a_training_would_serve_is_judged_beside_all_candidates(folder: Path) -> None:
    report = call("mine", "--data", str(folder), "--seconds", "0")
    assert set(report) == {"dataset", "served", "models", "published", "command", "seconds", "peak_mb"}
    models, served = report["models"], report["served"]
    assert isinstance(models, dict)
    assert isinstance(served, dict)
    candidates = {"als", "gf_cf", "ease", "user_knn", "blend", "popular_blend"}
    assert candidates | {"popular", "gf_cf_published"} == set(models)
    assert served == {"model": served["model"]} | models[served["model"]]
    # Seven of the other taste are as popular; whoever knows the taste finds the one that is lacking first.
    assert served["ndcg@20"] > 0.99 > models["popular"]["ndcg@20"]
    assert {"recall@20", "map@20", "fit_seconds", "export_seconds", "recipe"} <= set(models["als"])


def test_what_is_served_is_chosen_on_train_alone(folder: Path) -> None:
    one = call(str(folder), "--split", "random", "--seconds", "0")
    (folder / "test.txt").write_text(TEST.replace(" 3\n", " 15\n"), encoding="utf-8")
    other = call(str(folder), "--split", "random", "--seconds", "0")
    assert one["served"]["model"] == other["served"]["model"]  # type: ignore[index]
    for name in ("gf_cf", "blend"):
        assert one["models"][name]["recipe"] == other["models"][name]["recipe"]  # type: ignore[index]


def ordered(numbers: list[int]) -> Interactions:
    """Thirty people with two items each, which are numbered so."""
    ids = (pa.array([str(n // 2) for n in range(60)]), pa.array([str(number) for number in numbers]))
    return from_ids(*ids)


def test_a_later_stretch_is_held_out_where_ids_keep_the_order_of_the_file() -> None:
    shuffled = np.random.default_rng(1).permutation(60).tolist()
    assert quality.likely(ordered(list(range(60)))) == ("stretch",)
    assert quality.likely(ordered(shuffled)) == ("random", "random")
