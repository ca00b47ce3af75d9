"""A checkpoint that names segments by where they were is told where they are; what it held otherwise stays, checksummed."""

import shutil
from pathlib import Path

import pytest

from nextclick.errors import LakeError
from spark_jobs.checkpoints.damage import damaged, follow

PLACE = "file:///new%20place/lake"


def line(place: str, name: str, batch: int) -> str:
    return f'{{"path":"{place}/landing/{name}.log","timestamp":5,"batchId":{batch}}}'


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """Of a lake with two segments, whose log of the second batch is compacted; it was made at /old."""
    logs = tmp_path / "checkpoint/sources/0"
    logs.mkdir(parents=True)
    old = "file:///old"
    (logs / "0").write_text("\n".join(["v1", line(old, "a", 0)]))
    (logs / "1.compact").write_text("\n".join(["v1", line(old, "a", 0), line(old, "b", 1)]))
    (logs / ".0.crc").write_bytes(b"crc\0" + bytes([0, 0, 2, 0]) + b"old!")
    for name in "ab":
        segment = tmp_path / "lake/landing" / f"{name}.log"
        segment.parent.mkdir(parents=True, exist_ok=True)
        segment.touch()
    return tmp_path / "checkpoint"


def test_segments_are_named_by_their_new_place_with_new_checksums(checkpoint: Path, tmp_path: Path) -> None:
    follow(str(checkpoint), tmp_path / "lake", PLACE)
    logs = checkpoint / "sources/0"
    assert (logs / "0").read_text() == "\n".join(["v1", line(PLACE, "a", 0)])
    assert (logs / "1.compact").read_text() == "\n".join(["v1", line(PLACE, "a", 0), line(PLACE, "b", 1)])
    assert {path.name for path in logs.glob(".*.crc")} == {".0.crc", ".1.compact.crc"}
    assert damaged(str(checkpoint)) is None
    (logs / "0").write_text("v1")
    assert damaged(str(checkpoint)) == logs / "0"


def test_what_a_kill_left_half_written_damages_nothing(tmp_path: Path) -> None:
    """Spark renames a file into its place when it is whole; Hadoop's sums of the other are those of what it was going to hold."""
    commits = tmp_path / "commits"
    commits.mkdir()
    for name in ("0", ".1.01cbf84a-3f89-4790-9a86-ad9f87ca41c5.tmp"):
        (commits / name).write_text("v1")
        (commits / f".{name}.crc").write_bytes(b"crc\0" + bytes([0, 0, 2, 0]) + b"sums")
    assert damaged(str(tmp_path)) == commits / "0"
    (commits / "0").unlink()
    assert damaged(str(tmp_path)) is None


def test_a_lake_that_stayed_is_not_written(checkpoint: Path, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in checkpoint.rglob("*") if path.is_file()}
    follow(str(checkpoint), tmp_path / "lake", "file:///old")
    assert before == {path: path.read_bytes() for path in checkpoint.rglob("*") if path.is_file()}
    follow(str(tmp_path / "none"), tmp_path / "lake", PLACE)
    assert not (tmp_path / "none").exists()


def test_a_segment_that_stayed_behind_is_named_and_nothing_is_written(checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "lake/landing/b.log").unlink()
    shutil.copytree(checkpoint, tmp_path / "before")
    with pytest.raises(LakeError, match=r"1 segments .* such as landing/b\.log.*nextclick rebuild bronze"):
        follow(str(checkpoint), tmp_path / "lake", PLACE)
    for path in (tmp_path / "before/sources/0").iterdir():
        assert (checkpoint / "sources/0" / path.name).read_bytes() == path.read_bytes()
