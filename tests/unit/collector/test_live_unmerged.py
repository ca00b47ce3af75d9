"""Which segments the live profiles lack, and up to where none can be missing any more."""

import os
import time
from pathlib import Path

import pytest

from collector.live.unmerged_segments import look

HOUR = 3600.0
DAY_MS = 86_400_000


def named(ago: float, number: int = 0, lines: str = "-1") -> str:
    """The name of a segment begun so many seconds ago."""
    stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime(time.time() - ago))
    return f"{stamp}{number:06d}-0000000{number}{lines}.log"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    (tmp_path / ".open").mkdir()
    (tmp_path / ".staged").mkdir()
    return tmp_path


def publish(log: Path, name: str, ago: float = HOUR) -> str:
    (log / name).touch()
    os.utime(log / name, (time.time() - ago, time.time() - ago))
    return name


def month_ago() -> int:
    return time.time_ns() // 1_000_000 - 30 * DAY_MS


def test_segments_without_a_mark_are_missing_in_order_of_creation(log: Path) -> None:
    second, first, marked = (publish(log, named(HOUR - n, n)) for n in (2, 1, 3))
    publish(log, "notes.txt")
    unmerged = look(log, "", {marked}, month_ago(), grace=10)
    assert unmerged.names == [first, second]
    assert unmerged.settled == marked


def test_what_is_settled_is_not_looked_at_again(log: Path) -> None:
    first, second = (publish(log, named(HOUR - n, n)) for n in (1, 2))
    assert look(log, first, set(), month_ago(), grace=10) == ([second], second)
    assert look(log, second, set(), month_ago(), grace=10) == ([], "")


@pytest.mark.parametrize("hidden", [".open", ".staged"])
def test_nothing_is_settled_past_a_segment_that_is_still_written(log: Path, hidden: str) -> None:
    first, third = publish(log, named(HOUR, 1)), publish(log, named(HOUR - 9, 3))
    (log / hidden / named(HOUR - 5, 2, lines="")).touch()
    assert look(log, "", set(), month_ago(), grace=10) == ([first, third], first)


def test_nothing_is_settled_that_is_so_new_that_a_neighbour_may_follow(log: Path) -> None:
    old, new = publish(log, named(HOUR, 1)), publish(log, named(20, 2))
    assert look(log, "", set(), month_ago(), grace=10) == ([old, new], old)


def test_a_segment_that_was_just_published_is_left_to_its_worker(log: Path) -> None:
    publish(log, named(HOUR, 1), ago=1)
    assert look(log, "", set(), month_ago(), grace=10) == ([], "")
    assert len(look(log, "", set(), month_ago(), grace=0).names) == 1


def test_segments_with_nothing_that_is_kept_are_settled_unread(log: Path) -> None:
    old = publish(log, named(32 * 24 * HOUR, 1))
    edge = publish(log, named(30.5 * 24 * HOUR, 2))  # its worker may have lived on for a while
    assert look(log, "", set(), month_ago(), grace=10) == ([edge], edge)
    assert old < edge


def test_a_log_that_was_never_written_lacks_nothing(tmp_path: Path) -> None:
    assert look(tmp_path / "landing", "", set(), month_ago(), grace=10) == ([], "")
