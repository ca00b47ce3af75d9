"""The landing log: what is acknowledged is there, whole; nothing else is ever visible."""

import errno
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nextclick.errors import LakeError
from nextclick.landing import segment as module
from nextclick.landing.reader import SegmentContent, check_segment, promised_lines, read_segment, segments
from nextclick.landing.segment import create
from nextclick.landing.writer import SegmentWriter, StagedWriter, settle


class Limits(NamedTuple):
    segment_bytes: int = 1 << 20
    max_total_bytes: int = 0


def payloads(folder: Path) -> list[bytes]:
    return [line.payload for segment in segments(folder) for line in read_segment(segment.path)]


def open_files(folder: Path) -> list[Path]:
    return sorted((folder / ".open").glob("*"))


@pytest.fixture
def segment(tmp_path: Path) -> Path:
    """A published segment of three lines."""
    with SegmentWriter(tmp_path, Limits()) as writer:
        writer.extend([b'{"n":1}', b'{"n":2}', b'{"n":3}'], "test", 1_000)
    return segments(tmp_path)[0].path


@pytest.fixture
def no_space(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """While the list is not empty, a write puts half of its bytes on the disk, and the next one fails: ENOSPC."""
    refusing: list[int] = []
    write = os.write

    def short_then_full(descriptor: int, data: bytes) -> int:
        if not refusing:
            return write(descriptor, data)
        refusing.append(len(data))
        if len(refusing) > 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(descriptor, data[: len(data) // 2])

    monkeypatch.setattr(os, "write", short_then_full)
    return refusing


@settings(max_examples=60)
@given(st.lists(st.binary(max_size=40).map(lambda raw: raw.replace(b"\n", b""))))
def test_any_payload_without_a_newline_comes_back(written: list[bytes]) -> None:
    with TemporaryDirectory() as folder:
        with SegmentWriter(Path(folder), Limits(segment_bytes=400)) as writer:
            for number, payload in enumerate(written):
                writer.append(payload, f"source:{number}", number)
        lines = [line for segment in segments(Path(folder)) for line in read_segment(segment.path)]
        assert [(line.payload, line.received_at, line.source) for line in lines] == [
            (payload, number, f"source:{number}") for number, payload in enumerate(written)
        ]


def test_a_line_looks_as_documented(segment: Path) -> None:
    assert segment.read_bytes().splitlines()[1] == b'd3abce88 1 1000 test {"n":2}'


def test_a_newline_in_a_payload_or_a_space_in_a_source_is_refused(tmp_path: Path) -> None:
    with SegmentWriter(tmp_path, Limits()) as writer:
        with pytest.raises(ValueError, match="newline"):
            writer.append(b"a\nb", "test", 0)
        with pytest.raises(ValueError, match="visible ASCII"):
            writer.append(b"{}", "two words", 0)


def test_segments_stay_within_their_size_and_their_names_sort_in_order_of_creation(tmp_path: Path) -> None:
    with SegmentWriter(tmp_path, Limits(segment_bytes=1024)) as writer:
        writer.extend((b"%04d" % number for number in range(200)), "test", 0)
    found = segments(tmp_path)
    assert len(found) > 5
    assert all(segment.bytes <= 1024 for segment in found)
    assert sum(segment.lines for segment in found) == 200
    assert payloads(tmp_path) == [b"%04d" % number for number in range(200)]


def test_nothing_is_visible_before_it_is_published_and_empty_segments_never_are(tmp_path: Path) -> None:
    writer = SegmentWriter(tmp_path, Limits())
    writer.roll()
    assert not open_files(tmp_path)
    writer.append(b"{}", "test", 0)
    writer.sync()
    assert segments(tmp_path) == []
    writer.roll()
    writer.close()
    assert [segment.lines for segment in segments(tmp_path)] == [1]


def test_names_go_on_sorting_when_the_clock_is_set_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with SegmentWriter(tmp_path, Limits()) as writer:
        writer.append(b"before", "test", 0)
    (tmp_path / "lost+found").mkdir()
    monkeypatch.setattr(module, "datetime", _LastYear)
    for _ in range(3):
        with SegmentWriter(tmp_path, Limits()) as writer:
            writer.append(b"after", "test", 0)
    assert payloads(tmp_path) == [b"before", b"after", b"after", b"after"]


class _LastYear(datetime):
    @classmethod
    def now(cls, tz: object = None) -> "_LastYear":
        return cls(2000, 1, 1)


@pytest.mark.parametrize("bit", range(8))
def test_every_flipped_bit_shows(segment: Path, bit: int) -> None:
    whole = segment.read_bytes()
    for place in range(len(whole)):
        flipped = bytearray(whole)
        flipped[place] ^= 1 << bit
        segment.write_bytes(flipped)
        verdict = check_segment(segment)
        assert not verdict.sound, (place, bit)
        assert verdict.intact <= 2, (place, bit)


def test_a_cut_at_every_byte_shows(segment: Path) -> None:
    whole = segment.read_bytes()
    assert check_segment(segment) == SegmentContent(intact=3, damaged=0, missing=0)
    for length in range(len(whole)):
        segment.write_bytes(whole[:length])
        assert not check_segment(segment).sound, length


def test_a_damaged_line_leaves_the_others_readable(segment: Path) -> None:
    segment.write_bytes(segment.read_bytes().replace(b'{"n":2}', b'{"n":7}'))
    assert [(line.intact, line.position) for line in read_segment(segment)] == [(True, 0), (False, None), (True, 2)]
    assert check_segment(segment) == SegmentContent(intact=2, damaged=1, missing=0)


def test_a_foreign_name_is_refused() -> None:
    with pytest.raises(LakeError, match="STAMP-RANDOM-LINES"):
        promised_lines("notes.log")


def test_an_unwritable_log_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "landing").write_text("a file where the folder should be")
    with pytest.raises(LakeError, match="landing cannot be written: Not a directory"):
        SegmentWriter(tmp_path / "landing", Limits())


def test_a_log_never_grows_above_its_limit(tmp_path: Path) -> None:
    writer = SegmentWriter(tmp_path, Limits(segment_bytes=600, max_total_bytes=1_500))
    with pytest.raises(LakeError, match="max_total_bytes = 1,500"):
        writer.extend([b"x" * 100] * 50, "test", 0)
    writer.close()
    assert 0 < sum(segment.bytes for segment in segments(tmp_path)) <= 1_500


# What a killed writer left


def _abandon(folder: Path, content: bytes) -> Path:
    """A file in .open whose writer is gone."""
    (folder / ".open").mkdir(exist_ok=True)
    segment = create(folder, folder / ".open")
    segment.path.write_bytes(content)
    segment.release()
    return segment.path


def test_the_next_writer_publishes_complete_lines_and_drops_the_torn_tail(segment: Path) -> None:
    folder, whole = segment.parent, segment.read_bytes()
    for length in range(len(whole)):
        segment.unlink()
        _abandon(folder, whole[:length])
        SegmentWriter(folder, Limits()).close()
        assert payloads(folder) == [b'{"n":1}', b'{"n":2}', b'{"n":3}'][: whole[:length].count(b"\n")]
        assert not open_files(folder)
        segment = next((each.path for each in segments(folder)), _abandon(folder, b""))


def test_a_recovered_segment_has_a_fresh_time(segment: Path) -> None:
    left = _abandon(segment.parent, segment.read_bytes())
    segment.unlink()
    os.utime(left, (0, 0))
    SegmentWriter(segment.parent, Limits()).close()
    assert time.time() - segments(segment.parent)[0].path.stat().st_mtime < 60


def test_a_complete_line_that_is_damaged_is_kept_for_quarantine(segment: Path) -> None:
    _abandon(segment.parent, segment.read_bytes().replace(b'"n":2', b'"n":9'))
    segment.unlink()
    SegmentWriter(segment.parent, Limits()).close()
    assert check_segment(segments(segment.parent)[0].path) == SegmentContent(intact=2, damaged=1, missing=0)


def test_a_live_writers_segment_is_left_alone(tmp_path: Path) -> None:
    living = SegmentWriter(tmp_path, Limits())
    living.append(b"mine", "test", 0)
    living.sync()
    SegmentWriter(tmp_path, Limits()).close()
    assert segments(tmp_path) == []
    living.close()
    assert payloads(tmp_path) == [b"mine"]


_WRITE_UNTIL_KILLED = """
import os, signal, sys
from pathlib import Path
from types import SimpleNamespace
from nextclick.landing.writer import SegmentWriter

folder, name, last = sys.argv[1:]
original, calls = getattr(os, name, None), 0

def killing(*arguments):
    global calls
    calls += 1
    if calls == int(last):
        os.kill(os.getpid(), signal.SIGKILL)
    return original(*arguments)

if original:
    setattr(os, name, killing)
writer = SegmentWriter(Path(folder), SimpleNamespace(segment_bytes=2048, max_total_bytes=0))
for number in range(10**9):
    writer.append(b"%d" % number, "test", 0)
    if number % 10 == 9:
        writer.sync()
        sys.stdout.write(f"{number}\\n")
        sys.stdout.flush()
"""


def _acknowledged_by_a_killed_writer(folder: Path, call: str, last: int, lines: int) -> int:
    """The last acknowledged number of a process that dies at its `last` call of os.`call`, or else by our SIGKILL."""
    program = [sys.executable, "-c", _WRITE_UNTIL_KILLED, str(folder), call, str(last)]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout
        printed = [line for _, line in zip(range(lines), child.stdout, strict=False)]
        child.kill()
    assert child.returncode == -signal.SIGKILL
    return int(printed[-1]) if printed else -1


@pytest.mark.parametrize(
    ("call", "last", "lines"),
    [("none", 0, 3), ("none", 0, 50), ("write", 12, 10**6), ("fdatasync", 12, 10**6), ("fsync", 2, 10**6),
     ("fsync", 3, 10**6), ("utime", 2, 10**6), ("rename", 2, 10**6), ("close", 4, 10**6)],
)  # fmt: skip
def test_what_a_killed_process_acknowledged_is_there_once_and_in_order(
    tmp_path: Path, call: str, last: int, lines: int
) -> None:
    acknowledged = _acknowledged_by_a_killed_writer(tmp_path, call, last, lines)
    assert all(check_segment(segment.path).sound for segment in segments(tmp_path)), "before anybody recovers it"
    SegmentWriter(tmp_path, Limits()).close()
    numbers = [int(payload) for payload in payloads(tmp_path)]
    assert all(check_segment(segment.path).sound for segment in segments(tmp_path))
    assert numbers == list(range(len(numbers)))
    assert -1 < acknowledged < len(numbers)


def test_several_writers_at_once_each_have_their_own_segment(tmp_path: Path) -> None:
    writers = [SegmentWriter(tmp_path, Limits(segment_bytes=1024)) for _ in range(5)]
    for number in range(100):
        for name, writer in enumerate(writers):
            writer.append(b"%d:%d" % (name, number), "test", 0)
    for writer in writers:
        writer.close()
    assert all(check_segment(segment.path).sound for segment in segments(tmp_path))
    assert sorted(payloads(tmp_path)) == sorted(b"%d:%d" % (name, number) for name in range(5) for number in range(100))


# Disks that fail


def test_a_failed_fsync_retires_the_descriptor_and_keeps_what_was_acknowledged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(descriptor: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    writer = SegmentWriter(tmp_path, Limits())
    writer.append(b"acknowledged", "test", 0)
    writer.sync()
    writer.append(b"refused", "test", 0)
    with monkeypatch.context() as broken:
        broken.setattr(os, "fdatasync", fail)
        with pytest.raises(LakeError, match="Input/output error"):
            writer.sync()
    writer.append(b"afterwards", "test", 0)
    writer.close()
    assert sorted(payloads(tmp_path)) == [b"acknowledged", b"afterwards"]
    assert len(segments(tmp_path)) == 2


def test_a_full_disk_refuses_and_heals(tmp_path: Path, no_space: list[int]) -> None:
    writer = SegmentWriter(tmp_path, Limits())
    writer.append(b"acknowledged", "test", 0)
    writer.sync()
    no_space.append(0)
    writer.append(b"refused", "test", 0)
    with pytest.raises(LakeError, match=r"No space left on device\. Free some space"):
        writer.sync()
    assert len(no_space) == 3
    no_space.clear()
    writer.append(b"afterwards", "test", 0)
    writer.close()
    assert sorted(payloads(tmp_path)) == [b"acknowledged", b"afterwards"]


# Segments that belong to a transaction


def _staged(folder: Path, *written: bytes) -> StagedWriter:
    writer = StagedWriter(folder, Limits(segment_bytes=1024))
    writer.extend(written, "test", 0)
    return writer


def test_staged_segments_are_published_only_by_their_transaction(tmp_path: Path) -> None:
    writer = _staged(tmp_path, *[b"x" * 300] * 6)
    names = writer.seal()
    SegmentWriter(tmp_path, Limits()).close()
    assert segments(tmp_path) == []
    writer.publish()
    assert [segment.path.name for segment in segments(tmp_path)] == names
    assert len(names) > 1


def test_a_killed_transaction_is_finished_if_it_was_committed_and_dropped_if_not(tmp_path: Path) -> None:
    committed, dropped = _staged(tmp_path, b"committed"), _staged(tmp_path, b"dropped")
    names = committed.seal()
    dropped.seal()
    settle(tmp_path, lambda: set(names))
    assert segments(tmp_path) == [], "both writers live"
    committed.close()
    dropped.close()
    settle(tmp_path, lambda: set(names))
    assert payloads(tmp_path) == [b"committed"]
    assert not list((tmp_path / ".staged").iterdir())


def test_a_staged_writer_that_fails_publishes_nothing(tmp_path: Path, no_space: list[int]) -> None:
    writer = _staged(tmp_path, b"refused")
    no_space.append(0)
    with pytest.raises(LakeError):
        writer.seal()
    with suppress(LakeError):
        writer.close()
    settle(tmp_path, set)
    assert segments(tmp_path) == []
