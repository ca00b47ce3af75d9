"""Folders of train.txt and test.txt: read as they stand, and refused by file and line."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from benchmarks.models.splits.pairs_files import read_split
from ml.evaluation import evaluate
from ml.models.user_item.popular import Popular
from nextclick.errors import UsageError

TRAIN, TEST = "7 1 2 3\n8 1 2\n\n9 3\n", "7 4\n8 3 5\n9\n"


def folder(path: Path, train: str = TRAIN, test: str = TEST) -> Path:
    (path / "train.txt").write_text(train, encoding="utf-8")
    (path / "test.txt").write_text(test, encoding="utf-8")
    return path


def test_a_folder_is_a_split_over_the_items_of_both_files(tmp_path: Path) -> None:
    split = read_split(folder(tmp_path))
    assert split.train.items.ids.to_pylist() == ["1", "2", "3", "4", "5"]
    pairs = zip(split.test.people.take(split.test.person), split.test.items.take(split.test.item), strict=True)
    assert sorted((person.as_py(), item.as_py()) for person, item in pairs) == [("7", "4"), ("8", "3"), ("8", "5")]
    assert split.seen.nnz == len(split.train) == 6


def test_gzipped_files_are_read_alike(tmp_path: Path) -> None:
    for name, text in (("train", TRAIN), ("test", TEST)):
        (tmp_path / f"{name}.txt.gz").write_bytes(gzip.compress(text.encode()))
    assert len(read_split(tmp_path).train) == 6


def test_a_person_without_test_items_is_left_out_of_the_figures(tmp_path: Path) -> None:
    split = read_split(folder(tmp_path))
    people = split.people(10, seed=1)
    assert split.train.people.take(people).to_pylist() == ["7", "8"]
    lists = evaluate.listed(Popular().fit(split.train), split, people, 2)
    # 7 has used all that anybody used; the first for 8 is 3, one of two true items.
    assert split.train.items.take(lists[1][lists[1] >= 0]).to_pylist() == ["3"]
    assert evaluate.judge(lists, split, people)["recall@2"] == pytest.approx((0 + 1 / 2) / 2)


@pytest.mark.parametrize(
    ("train", "test", "words"),
    [
        ("7 1\n8 1 2\n7 3\n", TEST, r"train\.txt, line 3: person 7 is on line 1 already"),
        ("7 1\n8 2 2\n", TEST, r"train\.txt, line 2: an item stands there twice"),
        (TRAIN, "8 5 2\n", "person 8 has item 2 in both files"),
        (TRAIN, "7\n8\n", r"test\.txt holds no pair"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, train: str, test: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        read_split(folder(tmp_path, train, test))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"neither train\.txt nor train\.txt\.gz"):
        read_split(tmp_path)


@pytest.mark.parametrize("content", [b"7 \xff\n", gzip.compress(TRAIN.encode())[:-9]], ids=["latin", "cut"])
def test_what_is_no_text_is_refused(tmp_path: Path, content: bytes) -> None:
    name = "train.txt.gz" if content[:1] == b"\x1f" else "train.txt"
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UsageError, match="must be text in UTF-8"):
        read_split(tmp_path)


def test_a_line_without_end_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.models.splits.text_files.LONGEST_LINE", 16)
    with pytest.raises(UsageError, match="line 1: longer than 16 bytes"):
        read_split(folder(tmp_path, "7" + " 1" * 50))


def test_the_pairs_of_gowalla_are_those_of_the_papers() -> None:
    from cli.bench import FOLDERS

    if not FOLDERS["gowalla"].exists():
        pytest.skip(
            f"{FOLDERS['gowalla']} is absent; test_a_folder_is_a_split_over_the_items_of_both_files is its twin"
        )
    split = read_split(FOLDERS["gowalla"])
    sizes = (len(split.train.people), len(split.train.items), len(split.train), len(split.test))
    assert sizes == (29_858, 40_981, 810_128, 217_242)
    popular = evaluate.listed(Popular().fit(split.train), split, split.people(30_000, seed=1), 20)
    figures = evaluate.judge(popular, split, split.people(30_000, seed=1))
    assert np.round([figures["recall@20"], figures["ndcg@20"]], 4).tolist() == [0.0416, 0.0317]
