"""`nextclick import --format …` and `--follow`: each line of an access log is landed once, through rotations and kills."""

import gzip
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from cli.main import cli
from collector.access_logs.follow import follow_files
from collector.access_logs.reading import LogReading
from collector.imports.importer import Importer, ImportReport
from nextclick.errors import NextclickError, UsageError
from nextclick.landing.reader import check_segment, read_segment, segments
from nextclick.settings import CHECKOUT, load

WEBLOGS = CHECKOUT.parent / "shared" / "data" / "weblogs"
HIT = '203.0.113.9 - - [02/Jan/2026:00:04:05 -0300] "GET /{} HTTP/1.1" 200 5 "-" "Mozilla/5.0"\n'
FAST = {f"NEXTCLICK_ACCESS_LOGS__{name}_SECONDS": "0.01" for name in ("POLL", "PUBLISH")}
PATIENCE = 30


def hits(*pages: object) -> str:
    return "".join(HIT.format(page) for page in pages)


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    return tmp_path / "lake"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    folder = tmp_path / "logs"
    folder.mkdir()
    return folder / "access.log"


def invoke(lake: Path, *arguments: object) -> Result:
    result = CliRunner().invoke(cli, ["--lake", str(lake), "import", *map(str, arguments)], standalone_mode=False)
    if result.exception:
        raise result.exception
    return result


def call(lake: Path, *arguments: object) -> dict[str, Any]:
    """The report of `nextclick import … --json`; its error is raised."""
    report: dict[str, Any] = json.loads(invoke(lake, *arguments, "--json").stdout)
    return report


def records(log: Path) -> list[dict[str, Any]]:
    assert all(check_segment(segment.path).sound for segment in segments(log))
    return [json.loads(line.payload) for segment in segments(log) for line in read_segment(segment.path)]


def pages(lake: Path) -> list[str]:
    return [event["page_url"].removeprefix("/") for event in records(lake / "landing")]


def add(log: Path, text: str) -> None:
    with log.open("a") as file:
        file.write(text)


def test_a_log_is_recognized_imported_once_and_said_to_be_what_it_is(lake: Path, log: Path) -> None:
    log.write_text(hits("a", "b.png", "a") + "not a line of it\n")
    first = invoke(lake, log, "--format", "auto")
    assert f"{log}: recognized as combined (Apache, nginx, Traefik)" in first.stderr
    assert "1 files, 4 rows: 3 accepted, 1 rejected" in first.stdout
    assert call(lake, log, "--format", "combined")["skipped"] == 1
    events = records(lake / "landing")
    assert [event["event"] for event in events] == ["page_view", "request", "page_view"]
    assert len({event["event_id"] for event in events}) == 3
    assert len({event["visitor_id"] for event in events}) == 1
    assert next(read_segment(segments(lake / "landing")[0].path)).source == "log"


def test_a_log_that_grew_gives_its_lines_the_ids_that_they_had(lake: Path, log: Path) -> None:
    log.write_text(hits("a", "a"))
    call(lake, log, "--format", "auto")
    add(log, hits("a"))
    call(lake, log, "--format", "auto")
    assert sorted(Counter(event["event_id"] for event in records(lake / "landing")).values()) == [1, 2, 2]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "Say what the files are"),
        (("--format", "auto", "--mapping", "plain"), "Say what the files are"),
        (("--mapping", "plain", "--follow"), "--follow goes with --format"),
        (("--format", "auto", "--follow", "--again"), "without --again"),
        (("--format", "auto", "--kind", "items"), "leave out --kind"),
        (("--format", "auto"), "fit no known format"),
        (("--format", "auto", "--follow"), "fit no known format"),
    ],
)
def test_wrong_calls_are_usage_errors(lake: Path, log: Path, arguments: tuple[str, ...], message: str) -> None:
    log.write_text("when,who\n1,2\n")
    with pytest.raises(UsageError, match=message):
        call(lake, log, *arguments)
    assert segments(lake / "landing") == []


def test_what_is_not_there_cannot_be_followed(lake: Path, log: Path) -> None:
    with pytest.raises(UsageError, match=r"access\.log is not there"):
        call(lake, log, "--format", "auto", "--follow")


@pytest.mark.skipif(not WEBLOGS.is_dir(), reason=f"the real logs are not in {WEBLOGS}")
def test_of_real_logs_each_line_is_in_and_one_is_in_quarantine(lake: Path) -> None:
    nasa = call(lake, WEBLOGS / "nasa-1995-07-09.log.gz", "--format", "auto")
    assert (nasa["accepted"], nasa["rejected"]) == (35_272, 0)
    apache = call(lake, WEBLOGS / "apache-combined-10k.log.gz", "--format", "auto")
    assert (apache["accepted"], apache["rejected"], apache["reasons"]) == (9_999, 1, {"malformed_line": 1})
    events = records(lake / "landing")
    assert len({event["event_id"] for event in events}) == 45_271
    labels = Counter(event["properties"]["label"] for event in events)
    assert labels["page"] == sum(event["event"] == "page_view" for event in events) > 14_000
    assert labels["bot"] > 1_000
    assert labels["static"] > 27_000


class Play:
    """What happens beside a follower: each act as soon as the lines before it are landed; then it is to stop.

    A generator acts, and yields how many lines are to be landed before it goes on.
    """

    def __init__(self, lake: Path, acts: Iterator[int]) -> None:
        self._lake, self._acts = lake, acts
        self._expected = 0
        self._end = time.monotonic() + PATIENCE

    def __call__(self) -> bool:
        if time.monotonic() > self._end:
            raise TimeoutError(f"landed: {pages(self._lake)}")
        if sum(segment.lines for segment in segments(self._lake / "landing")) < self._expected:
            return False
        self._expected = next(self._acts, -1)
        return self._expected < 0


@pytest.fixture
def follow(lake: Path, log: Path) -> Callable[..., ImportReport]:
    """`follow(acts)` follows the log while the acts happen; it stops as SIGTERM stops it."""

    def run(
        acts: Iterator[int], said: list[str] | None = None, quiet: str = "0.05", format: str = "auto"
    ) -> ImportReport:
        settings = load(lake, environ={**FAST, "NEXTCLICK_ACCESS_LOGS__QUIET_SECONDS": quiet})
        settings.lake.prepare()
        reading = LogReading(settings, format, "default")
        with Importer(settings, reading) as importer:
            return follow_files(
                settings, importer, reading, [log], Play(lake, acts), (said if said is not None else []).append
            )

    return run


Follow = Callable[..., ImportReport]


def wait(lines: int) -> Iterator[int]:
    yield lines


def test_what_is_added_is_landed_as_it_comes_and_half_a_line_waits_for_its_end(
    lake: Path, log: Path, follow: Follow
) -> None:
    def acts() -> Iterator[int]:
        log.write_text(hits("a"))
        yield 1
        add(log, hits("b") + hits("c")[:40])
        yield 2
        add(log, hits("c")[40:] + "broken\n" + hits("d"))
        yield 4

    log.touch()
    said: list[str] = []
    report = follow(acts(), said)
    assert (report.accepted, report.rejected) == (4, 1)
    assert pages(lake) == ["a", "b", "c", "d"]
    assert said == [f"{log}: followed as combined (Apache, nginx, Traefik)"]


def test_a_rename_loses_nothing_also_not_what_is_still_written_to_the_old_file(
    lake: Path, log: Path, follow: Follow
) -> None:
    old = log.with_name("access.log.1")

    def acts() -> Iterator[int]:
        yield 1
        log.rename(old)
        add(old, hits("b"))
        yield 2
        log.write_text(hits("c"))
        yield 3
        add(old, hits("d"))
        add(log, hits("e"))
        yield 5

    log.write_text(hits("a"))
    follow(acts(), quiet="60")
    follow(wait(5))
    assert sorted(pages(lake)) == ["a", "b", "c", "d", "e"]


def test_a_rotated_file_that_stays_quiet_is_done_with_its_last_half_line(lake: Path, log: Path, follow: Follow) -> None:
    def acts() -> Iterator[int]:
        yield 1
        log.rename(log.with_name("access.log.1"))
        log.write_text(hits("c"))
        yield 3

    log.write_text(hits("a") + hits("b").strip())
    assert follow(acts()).accepted == 3
    assert sorted(pages(lake)) == ["a", "b", "c"]


def test_a_copy_and_cut_loses_nothing_that_the_copy_holds(lake: Path, log: Path, follow: Follow) -> None:
    def acts() -> Iterator[int]:
        yield 2
        add(log, hits("c")[:30])
        shutil.copy(log, log.with_name("access.log.1"))
        add(log.with_name("access.log.1"), hits("c")[30:] + hits("d"))
        os.truncate(log, 0)
        yield 4
        add(log, hits(*range(20)))  # longer than before
        yield 24

    log.write_text(hits("a", "b"))
    follow(acts())
    assert sorted(pages(lake)) == sorted(["a", "b", "c", "d", *map(str, range(20))])


def test_a_cut_between_two_looks_shows_by_the_beginning(lake: Path, log: Path, follow: Follow) -> None:
    def acts() -> Iterator[int]:
        yield 1
        shutil.copy(log, log.with_name("access.log.1"))
        with log.open("r+") as file:
            file.truncate()
            file.write(hits("b", "c", "d"))
        yield 4

    log.write_text(hits("a"))
    follow(acts())
    assert sorted(pages(lake)) == ["a", "b", "c", "d"]


def test_a_restart_goes_on_where_it_stopped_and_adds_no_line_twice(lake: Path, log: Path, follow: Follow) -> None:
    log.write_text(hits("a", "a"))
    follow(wait(2))
    follow(wait(2))
    add(log, hits("a", "b"))
    report = follow(wait(4))
    assert report.accepted == 2
    assert report.notes == [f"{log}: goes on behind line 2"]
    assert pages(lake) == ["a", "a", "a", "b"]
    assert len({event["event_id"] for event in records(lake / "landing")}) == 4


def test_a_format_in_the_servers_own_words_is_followed_and_gone_on_with(lake: Path, log: Path, follow: Follow) -> None:
    words, line = "$msec|$remote_addr|$request_uri|$http_user_agent", "1767323045.000|203.0.113.9|/{}|Mozilla/5.0\n"
    log.write_text(line.format("a") + line.format("b"))
    follow(wait(2), format=words)
    add(log, line.format("c"))
    assert follow(wait(3), format=words).accepted == 1
    assert pages(lake) == ["a", "b", "c"]
    assert len({event["visitor_id"] for event in records(lake / "landing")}) == 1


def test_rotations_while_nobody_followed_are_taken_up(lake: Path, log: Path, follow: Follow) -> None:
    log.with_name("access.log.3").write_text(hits("long ago"))
    log.with_name("access-api.log").write_text(hits("another log"))
    log.write_text(hits("a"))
    follow(wait(1))
    add(log, hits("b"))
    moved, second = log.with_name("access.log.2.gz"), log.with_name("access.log.1")
    moved.write_bytes(gzip.compress(log.read_bytes()))
    second.write_text(hits("c"))
    log.unlink()
    log.write_text(hits("d"))
    follow(wait(4))
    assert sorted(pages(lake)) == ["a", "b", "c", "d"]
    assert follow(wait(4)).rows == 0


def test_a_copy_and_cut_while_nobody_followed_is_taken_up(lake: Path, log: Path, follow: Follow) -> None:
    log.write_text(hits("a"))
    follow(wait(1))
    shutil.copy(log, log.with_name("access-20260102.log"))
    add(log.with_name("access-20260102.log"), hits("b"))
    log.write_text(hits("c", "d"))
    follow(wait(4))
    assert sorted(pages(lake)) == ["a", "b", "c", "d"]


def test_a_followed_file_that_is_gone_is_said_to_be_gone_once(lake: Path, log: Path, follow: Follow) -> None:
    log.write_text(hits("a"))
    follow(wait(1))
    log.unlink()
    log.write_text(hits("b"))
    said: list[str] = []
    follow(wait(2), said)
    assert f"{log}: gone since line 1; what was added behind it, if anything, is lost" in said
    said.clear()
    follow(wait(2), said)
    assert said == []


def test_two_renames_between_two_looks_lose_nothing(lake: Path, log: Path, follow: Follow) -> None:
    def acts() -> Iterator[int]:
        yield 1
        log.rename(log.with_name("access.log.2"))
        log.write_text(hits("b"))
        log.rename(log.with_name("access.log.1"))
        log.write_text(hits("c"))
        yield 3
        old = log.with_name("access.log.1")
        old.with_name("access.log.1.gz").write_bytes(gzip.compress(old.read_bytes()))
        log.rename(log.with_name("access.log.0"))
        log.write_text(hits("d"))
        yield 4

    log.write_text(hits("a"))
    assert follow(acts()).accepted == 4
    assert sorted(pages(lake)) == ["a", "b", "c", "d"]


def test_a_packed_file_cannot_be_followed(lake: Path, log: Path) -> None:
    log.write_bytes(gzip.compress(hits("a").encode()))
    with pytest.raises(UsageError, match="is packed"):
        call(lake, log, "--format", "combined", "--follow")


def test_the_journal_of_a_follower_does_not_grow(lake: Path, log: Path, follow: Follow) -> None:
    def acts() -> Iterator[int]:
        for number in range(20):
            add(log, hits(number))
            yield number + 1

    log.touch()
    follow(acts())
    assert len(list((lake / "_state" / "imports").iterdir())) == 2, "its start, and where it is"


PROGRAM = (sys.executable, "-c", "from cli.main import main; main()")


def start(lake: Path, log: Path) -> "subprocess.Popen[str]":
    arguments = ["--lake", str(lake), "import", "--format", "auto", "--follow", str(log), "--json"]
    environment = {**FAST, "PATH": "/usr/bin:/bin", "NEXTCLICK_LANDING__SEGMENT_BYTES": "200000"}
    pipe = subprocess.PIPE
    return subprocess.Popen([*PROGRAM, *arguments], env=environment, cwd=CHECKOUT, stdout=pipe, stderr=pipe, text=True)


def until_landed(lake: Path, lines: int) -> None:
    end = time.monotonic() + PATIENCE
    while sum(segment.lines for segment in segments(lake / "landing")) < lines:
        if time.monotonic() > end:
            raise TimeoutError(f"{lines} lines were not landed in time")
        time.sleep(0.01)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_follower_with_its_report(lake: Path, log: Path, number: signal.Signals) -> None:
    log.write_text(hits("a", "b"))
    with start(lake, log) as follower:
        until_landed(lake, 2)
        with pytest.raises(NextclickError, match=r"import\.follow"):
            call(lake, log, "--format", "auto", "--follow")
        follower.send_signal(number)
        output, errors = follower.communicate(timeout=PATIENCE)
    assert follower.returncode == 0, errors
    assert json.loads(output)["accepted"] == 2


def test_a_killed_follower_goes_on_exactly(lake: Path, log: Path) -> None:
    log.touch()
    written = 0
    for round_ in range(4):
        with start(lake, log) as follower:
            for _ in range(8):
                add(log, hits(*range(written, written + 400)))
                written += 400
                until_landed(lake, written - 1_200 if written > 1_200 else 1)
            if round_ == 1:
                log.rename(log.with_name("access.log.1"))
                log.touch()
            follower.kill()
        assert follower.returncode == -signal.SIGKILL
    with start(lake, log) as follower:
        until_landed(lake, written)
        follower.terminate()
    assert sorted(map(int, pages(lake))) == list(range(written))
    assert not [*lake.glob("*/.staged/*"), *lake.glob("*/.open/*")]
