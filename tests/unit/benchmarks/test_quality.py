"""`nextclick bench quality`: JSON alone on stdout, of a folder that anybody can make."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from msgspec.structs import replace

from benchmarks.models import quality, quality_recipes
from cli.main import cli

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


def test_every_model_is_judged_beside_what_is_served(folder: Path) -> None:
    report = call("mine", "--data", str(folder))
    assert set(report) == {"dataset", "served", "models", "published", "command", "seconds", "peak_mb"}
    models = report["models"]
    assert isinstance(models, dict)
    assert set(models) == {"popular", "gf_cf_published", "als", "gf_cf", "user_knn", "blend"}
    assert report["served"] == {"model": quality_recipes.SERVED} | models[quality_recipes.SERVED]
    # Seven of the other taste are as popular; whoever knows the taste finds the one that is lacking first.
    assert models["blend"]["ndcg@20"] > 0.99 > models["popular"]["ndcg@20"]
    assert {"recall@20", "map@20", "fit_seconds", "export_seconds", "recipe"} <= set(models["als"])


def test_what_is_tuned_is_chosen_on_train_alone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = replace(quality_recipes.GRAPH, factors=2, neighbours=16)
    few = {"gf_cf": [replace(graph, smooth=smooth) for smooth in (0.0, 0.3)]}
    monkeypatch.setattr(quality, "GRIDS", few | {"user_knn": [quality_recipes.NEIGHBOURS]})
    one = call(str(folder), "--tune", "stretch")
    (folder / "test.txt").write_text(TEST.replace(" 3\n", " 15\n"), encoding="utf-8")
    other = call(str(folder), "--tune", "stretch")
    for name in ("gf_cf", "blend"):
        assert one["models"][name]["recipe"] == other["models"][name]["recipe"]  # type: ignore[index]
