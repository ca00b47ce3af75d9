"""An import that is stopped anywhere and called again neither loses a row nor lands one twice."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from cli.main import cli
from nextclick.landing.reader import check_segment, read_segment, segments

_KILLED_IMPORT = """
import os, signal, sys
from collector.imports.journal import Journal
from cli.main import main
from nextclick.landing.segment import OpenSegment
from nextclick.landing.writer import StagedWriter

point, number, *sys.argv[1:] = sys.argv[1:]
owner, name, killed_after = {
    "before a segment is durable": (OpenSegment, "sync", False),
    "before the commit": (Journal, "write", False),
    "after the commit": (Journal, "write", True),
    "before a segment is renamed": (OpenSegment, "publish", False),
    "after a segment is renamed": (OpenSegment, "publish", True),
    "between landing and quarantine": (StagedWriter, "publish", True),
}[point]
original, calls = getattr(owner, name), 0

def killing(*arguments):
    global calls
    calls += 1
    if calls == int(number) and not killed_after:
        os.kill(os.getpid(), signal.SIGKILL)
    result = original(*arguments)
    if calls == int(number):
        os.kill(os.getpid(), signal.SIGKILL)
    return result

setattr(owner, name, killing)
main()
"""
POINTS = [
    "before a segment is durable", "before the commit", "after the commit", "before a segment is renamed",
    "after a segment is renamed", "between landing and quarantine",
]  # fmt: skip
IMPORT = ("-c", "from cli.main import main; main()")
ROWS, BAD = 3_000, 100
"""Rows of all files together; every BAD-th has no time."""


@pytest.fixture
def history(tmp_path: Path) -> Path:
    folder = tmp_path / "history"
    folder.mkdir()
    for file in range(3):
        numbers = range(file * ROWS // 3, (file + 1) * ROWS // 3)
        rows = (f"v{n},i{n},{'soon' if n % BAD == 0 else 1767323045 + n}" for n in numbers)
        (folder / f"clicks-{file}.csv").write_text("who,what,at\n" + "\n".join(rows) + "\n")
    (tmp_path / "shop.toml").write_text(
        '[events]\nevent = { value = "view_item" }\ntime = { column = "at", unit = "s" }\nidentity = ["who", "what", "at"]\n'
        'fields = { visitor_id = "who", item_id = "what" }\n'
    )
    return folder


ENVIRONMENT = {"NEXTCLICK_LANDING__SEGMENT_BYTES": "66000"}


def arguments(history: Path) -> list[str]:
    lake, mapping = history.parent / "lake", history.parent / "shop.toml"
    return ["--lake", str(lake), "import", str(history), "--mapping", str(mapping), "--json"]


def run(history: Path, *program: str) -> "subprocess.CompletedProcess[str]":
    """In a process of its own."""
    command = [sys.executable, *program, *arguments(history)]
    return subprocess.run(command, env=ENVIRONMENT | {"PATH": "/usr/bin:/bin"}, capture_output=True, text=True)


def assert_goes_on(history: Path) -> None:
    """The next call, which knows of the one before by its files alone."""
    assert CliRunner(env=ENVIRONMENT).invoke(cli, arguments(history), catch_exceptions=False).exit_code == 0
    assert_all_in_once(history)


def landed(log: Path) -> list[dict[str, str]]:
    assert all(check_segment(segment.path).sound for segment in segments(log))
    return [json.loads(line.payload) for segment in segments(log) for line in read_segment(segment.path)]


def assert_all_in_once(history: Path) -> None:
    lake = history.parent / "lake"
    assert [event["item_id"] for event in landed(lake / "landing")] == [f"i{n}" for n in range(ROWS) if n % BAD]
    assert len(landed(lake / "quarantine")) == ROWS // BAD
    assert not [*lake.glob("*/.staged/*"), *lake.glob("*/.open/*")]


@pytest.mark.parametrize(
    ("point", "number"), [*((point, 3) for point in POINTS), ("before the commit", 1), ("after the commit", 1)]
)
def test_a_killed_import_goes_on_exactly(history: Path, point: str, number: int) -> None:
    killed = run(history, "-c", _KILLED_IMPORT, point, str(number))
    assert killed.returncode == -signal.SIGKILL
    assert len(landed(history.parent / "lake" / "landing")) < ROWS - ROWS // BAD
    assert_goes_on(history)


def test_an_import_onto_a_full_disk_says_so_and_goes_on_when_there_is_space(history: Path) -> None:
    lake = history.parent / "lake"
    lake.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(lake)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("this machine does not let the tests mount a small file system")
    try:
        full = run(history, *IMPORT)
        assert full.returncode == 1
        assert "cannot be written: No space left on device. Free some space, then call again." in full.stderr
        assert len(landed(lake / "landing")) < ROWS - ROWS // BAD
        subprocess.run(["mount", "-o", "remount,size=16m", str(lake)], check=True)
        assert_goes_on(history)
    finally:
        subprocess.run(["umount", str(lake)], check=True)
