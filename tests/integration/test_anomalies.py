"""The step `anomalies`: from silver to gold.anomalies and gold.suspects, and what becomes of them when it is called again."""

import json
import shutil
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from cli.main import cli
from ml.anomalies.table import read
from ml.jobs import anomalies
from nextclick.errors import TableMissing
from nextclick.lake import delta
from nextclick.settings import Settings, load
from tests.table_rows import write

START = datetime(2026, 1, 5, tzinfo=UTC)
DAYS = 6
END = START + timedelta(days=DAYS)
LATER = END + timedelta(minutes=5)
HOLE = range(100, 103)
Row = dict[str, Any]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = load(tmp_path / "lake", profile="test", environ={})
    settings.lake.prepare()
    return settings


def visits(hours: range, site: str = "shop") -> list[Row]:
    """Fifty visitors an hour, each with three views; none in the hours of the hole."""
    rng = np.random.default_rng(1)
    rows = []
    for hour in hours:
        for person in range(0 if hour in HOLE else int(rng.poisson(50))):
            for view in range(3):
                at = START + timedelta(hours=hour, minutes=person % 60, seconds=10 * view + 1)
                rows.append(_act(site, f"{hour}v{person}", "page_view", at, view))
    return rows


def _act(site: str, visitor: str, event: str, at: datetime, n: int, **more: Any) -> Row:
    times = {"occurred_at": at, "received_at": at + timedelta(seconds=2), "client_time": at}
    return {"site": site, "visitor_id": visitor, "event_id": f"{visitor} {n}", "event": event} | times | more


@pytest.fixture(scope="module")
def visited_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake with the visits of all days; copied by `visited`, never changed."""
    lake = load(tmp_path_factory.mktemp("visited") / "lake", profile="test", environ={}).lake
    lake.prepare()
    write(lake, "silver.events", visits(range(24 * DAYS)))
    return Path(lake.root)


@pytest.fixture
def visited(visited_once: Path, tmp_path: Path) -> Settings:
    """A copy, to be changed at will."""
    return load(shutil.copytree(visited_once, tmp_path / "lake"), profile="test", environ={})


def flood(day: int) -> list[Row]:
    at = START + timedelta(days=day, hours=12)
    return [
        _act("shop", "bad", "click", at + timedelta(seconds=n), n, item_id="i1", user_agent="a") for n in range(100)
    ]


def rows(settings: Settings, table: str) -> list[Row]:
    there: list[Row] = delta.require(settings.lake, table).to_pyarrow_table().to_pylist()
    return there


def test_a_hole_and_a_flood_are_seen_once_and_nothing_new_changes_nothing(visited: Settings) -> None:
    write(visited.lake, "silver.events", flood(3))
    report = anomalies.run(visited, now=LATER)
    hole, click_flood = sorted(rows(visited, "gold.anomalies"), key=lambda row: row["kind"], reverse=True)
    assert (hole["site"], hole["kind"], hole["subject"], hole["observed"]) == ("shop", "traffic", "events", 0)
    assert hole["step_start"] == START + timedelta(hours=HOLE.start)
    assert hole["step_end"] == START + timedelta(hours=HOLE.stop)
    assert hole["expected"] == pytest.approx(3 * 150, rel=0.2)
    assert (hole["z"] < -6, hole["p_value"], hole["state"], hole["first_seen"]) == (True, None, "closed", LATER)
    assert (click_flood["kind"], click_flood["subject"], click_flood["state"]) == ("click_flood", "i1", "closed")
    [suspect] = rows(visited, "gold.suspects")
    assert (suspect["date"], suspect["visitor_id"], suspect["is_suspect"]) == (date(2026, 1, 8), "bad", True)
    assert (suspect["reasons"], suspect["score"]) == (["click_flood"], None)
    assert report.details["open"] == 0
    assert "shop: 0 of" in str(report.details["reason"])

    versions = [delta.require(visited.lake, name).version() for name in ("gold.anomalies", "gold.suspects")]
    assert anomalies.run(visited, now=LATER + timedelta(minutes=1)).written == 0
    assert [delta.require(visited.lake, name).version() for name in ("gold.anomalies", "gold.suspects")] == versions


def test_a_live_site_that_falls_silent_is_open_until_it_speaks_again(visited: Settings) -> None:
    silent = END + timedelta(hours=2, minutes=6)
    anomalies.run(visited, now=LATER)
    assert [one.subject for one in read(visited.lake) or []] == []
    anomalies.run(visited, now=silent)
    [one] = read(visited.lake) or []
    assert (one.subject, one.step_start, one.state, one.observed) == ("events", END, "open", 0)
    first = one.first_seen

    write(visited.lake, "silver.events", visits(range(24 * DAYS + 2, 24 * DAYS + 12)))
    anomalies.run(visited, now=END + timedelta(hours=12, minutes=6))
    assert read(visited.lake) == []
    [one] = [one for one in read(visited.lake, every=True) or [] if one.step_start == END]
    assert (one.state, one.step_end, one.first_seen) == ("closed", END + timedelta(hours=2), first)


def test_what_late_events_explain_is_withdrawn(visited: Settings) -> None:
    anomalies.run(visited, now=END + timedelta(hours=1, minutes=6))
    assert [one.state for one in read(visited.lake, every=True) or [] if one.step_start == END] == ["open"]
    write(visited.lake, "silver.events", visits(range(24 * DAYS, 24 * DAYS + 1)))
    anomalies.run(visited, now=END + timedelta(hours=1, minutes=20))
    assert [one.state for one in read(visited.lake, every=True) or [] if one.step_start == END] == ["withdrawn"]


def test_what_was_decided_of_older_days_stays(visited: Settings) -> None:
    write(visited.lake, "silver.events", flood(1))
    anomalies.run(visited, now=LATER)
    before = rows(visited, "gold.anomalies"), rows(visited, "gold.suspects")
    write(visited.lake, "silver.events", [*visits(range(24 * DAYS)), *flood(5)], mode="overwrite")
    anomalies.run(visited, now=LATER)
    after = rows(visited, "gold.anomalies"), rows(visited, "gold.suspects")
    for time, old, new in zip(("step_start", "date"), before, after, strict=True):
        [older] = [row for row in old if str(row[time]) < "2026-01-08"]
        assert older in new, "the flood that is in silver.events no more"
        assert len(new) == len(old) + 1


def bots(number: int) -> list[Row]:
    """Each asks for a page a second, the same one, from an address of its own; people take their time, from theirs."""
    rng, rows = np.random.default_rng(1), []
    for n in range(number):
        at = START + timedelta(seconds=int(rng.integers(5 * 86_400)))
        fast = [_act("shop", f"bot{n}", "page_view", at + timedelta(seconds=s), s, ip=f"10.{n}.0.0") for s in range(20)]
        page = {"ip": f"11.{n}.0.0", "referrer": "https://x.example/"}
        slow = [
            _act("shop", f"man{n}", "page_view", at + timedelta(seconds=97 * s), s, page_url=f"/{s}", **page)
            for s in range(4)
        ]
        rows += [row | {"user_agent": "bot" if n % 4 else "browser"} for row in fast] + slow
    return rows


def test_who_behaves_as_bots_do_is_suspected_whatever_the_agent_says(settings: Settings) -> None:
    write(settings.lake, "silver.events", bots(120))
    write(settings.lake, "silver.user_agents", [{"user_agent": "bot", "is_bot": True}])
    report = anomalies.run(settings, now=LATER)
    assert report.details["reason"] is None
    suspects = rows(settings, "gold.suspects")
    assert {row["visitor_id"] for row in suspects if row["is_suspect"]} <= {f"bot{n}" for n in range(0, 120, 4)}
    assert all(row["reasons"] == (["bot"] if row["score"] >= 0.9 else []) for row in suspects)
    assert len(suspects) == 30, (
        "a quarter of them call themselves a browser, so a model learns that three of four are bots"
    )


def test_the_verb_lists_what_lasts_and_looks_anew_where_it_is_told_to(visited: Settings) -> None:
    def call(*options: str) -> Any:
        place = ["--lake", str(visited.lake.root), "--profile", "test", "anomalies"]
        return CliRunner().invoke(cli, [*place, *options], catch_exceptions=False)

    assert "Nobody has looked yet" in call().stdout
    write(visited.lake, "silver.events", flood(5))
    seen = json.loads(call("--detect", "--json").stdout)
    assert [(one["kind"], one["subject"], one["state"]) for one in seen] == [("click_flood", "i1", "open")]
    text = call("--all").stdout
    assert "click_flood" in text
    assert "z -" in text


def test_without_events_it_says_which_job_writes_them(settings: Settings) -> None:
    with pytest.raises(TableMissing, match=r"silver\.events was never written"):
        anomalies.run(settings)
    write(settings.lake, "silver.events", [])
    assert anomalies.run(settings).written == 0
    assert read(settings.lake) == []
