"""`nextclick bench sequence`: JSON alone on stdout, of folders that anybody can make; and those of the papers, where they are."""

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from benchmarks.models import sequence
from benchmarks.models.splits import sequence_files
from cli.bench import DATA
from cli.main import cli
from nextclick.errors import UsageError

RING = [" ".join(str((first + step) % 12) for step in range(5)) for first in range(12)] * 60
"""Sessions in which each number leads to the next."""


@pytest.fixture
def sessions(tmp_path: Path) -> Path:
    (tmp_path / "train.txt").write_text("\n".join(RING), encoding="utf-8")
    (tmp_path / "test.txt").write_text("3 4\t5\n10 11\t0\n99\t5\n", encoding="utf-8")
    return tmp_path


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two kinds of parts are enough here."""
    from ml.models.session import kinds

    every = kinds.variants
    monkeypatch.setattr(kinds, "variants", lambda *args: {name: every(*args)[name] for name in ("follows", "near")})


def call(folder: Path, *options: str) -> Any:
    done = CliRunner().invoke(cli, ["bench", "sequence", str(folder), *options, "--json"], catch_exceptions=False)
    return json.loads(done.stdout)


@pytest.mark.usefixtures("quick")
def test_what_is_served_stands_beside_all_models(sessions: Path) -> None:
    report = call(sessions)
    assert set(report) == {"served", "models", "seconds", "peak_mb"}
    assert {"model", "hr@20", "mrr@20", "recall@10", "ndcg@10"} <= set(report["served"])
    names = [one["model"] for one in report["models"]]
    assert set(names) == {
        "vmis_knn_published",
        "follows",
        "near",
        "blend",
        f"{report['served']['model']}, as answers ask it",
    }
    packed = report["models"][-1]
    assert packed["mrr@20"] == report["served"]["mrr@20"]
    assert 0 < packed["p50_ms"] <= packed["p99_ms"]
    assert report["served"]["repeats"] is False
    assert report["served"]["mrr@20"] == pytest.approx(2 / 3)  # of an unknown item nobody knows what follows


@pytest.mark.usefixtures("quick")
def test_of_sequences_neither_of_the_last_two_items_is_learned_from(tmp_path: Path) -> None:
    lines = [line + " 50 60" for line in RING]
    (tmp_path / "sequences.txt.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
    split = sequence_files.read(tmp_path)
    assert not set(split.train.items.rows(["50", "60"])) & set(split.train.item.tolist())
    assert split.validation is not None
    assert set(split.train.items.take(split.validation.item).to_pylist()) == {"50"}
    assert set(split.train.items.take(split.test.recent[:, -1]).to_pylist()) == {"50"}
    assert call(tmp_path)["served"]["hr@20"] == 0.0  # nobody has ever learned of 60


def test_the_choice_does_not_look_at_the_test(sessions: Path, quick: None) -> None:
    one = call(sessions)
    (sessions / "test.txt").write_text("3 4\t9\n", encoding="utf-8")
    other = call(sessions)
    assert one["served"]["recipe"] == other["served"]["recipe"]
    assert one["served"]["hr@20"] != other["served"]["hr@20"]


@pytest.mark.parametrize(
    ("train", "test", "words"),
    [
        ("1 2\n", "1 2\n", r"test\.txt, line 1: it must be the items so far, a tab, and the one item"),
        ("1 2\n", "1 2\t3 4\n", r"test\.txt, line 1"),
        ("\n", "1\t2\n", r"train\.txt holds no item"),
        ("1 2\n", "", r"test\.txt holds no question"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, train: str, test: str, words: str) -> None:
    (tmp_path / "train.txt").write_text(train, encoding="utf-8")
    (tmp_path / "test.txt").write_text(test, encoding="utf-8")
    with pytest.raises(UsageError, match=words):
        sequence_files.read(tmp_path)


def test_a_folder_without_files_and_one_with_too_few_questions_say_so(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds neither sequences"):
        sequence_files.read(tmp_path)
    (tmp_path / "sequences.txt").write_text("1 2 3\n", encoding="utf-8")
    with pytest.raises(UsageError, match="There are 1 questions to choose by"):
        sequence.chosen(sequence_files.read(tmp_path), 0.0, "auto", lambda _: None)


def test_the_splits_of_the_papers_are_read_as_they_stand() -> None:
    folder = DATA / "sessions-retailrocket"
    if not folder.is_dir():
        pytest.skip(f"{folder} is not on this machine")
    split = sequence_files.read(folder)
    assert (len(split.train.items), len(split.test)) == (36_968, 15_132)
    returns = (split.test.recent == split.test.item[:, None]).any(axis=1)
    assert np.mean(returns) == pytest.approx(0.38, abs=0.005)
