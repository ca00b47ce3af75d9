"""`nextclick bench anomalies` on a hand-made portal with the hole, and a log in which bots ask for one page again and again."""

import gzip
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from benchmarks import anomalies
from cli.bench import FOLDERS, bench
from nextclick.errors import UsageError


def portal(folder: Path) -> Path:
    """13 days of some 400 clicks a quarter at noon and 40 at night, and none in the hole."""
    rng, rows = np.random.default_rng(1), ["user_id,click_timestamp"]
    for quarter in range(anomalies.DAYS * 96):
        busy = 0 if quarter in anomalies.HOLE else 220 - 180 * np.cos(2 * np.pi * quarter / 96)
        at = anomalies.START + quarter * anomalies.QUARTER_MS
        rows += [f"{user},{at}" for user in range(rng.poisson(busy))]
    (folder / "clicks_hour_000.csv").write_text("\n".join(rows))
    return folder


def log(folder: Path) -> Path:
    """120 bots who ask for one page each second, and 120 people who read several, from addresses of their own."""
    start, lines = datetime(2015, 5, 17, 10, tzinfo=UTC), []
    for n in range(120):
        for second in range(4):
            at = start + timedelta(seconds=n + second)
            slow = start + timedelta(seconds=n + 60 * second)
            lines.append(_line(f"10.{n}.0.1", at, "/feed", "-", "Googlebot/2.1 (+http://www.google.com/bot.html)"))
            lines.append(_line(f"11.{n}.0.1", slow, f"/p{second}.html", "http://x.example/", "Mozilla/5.0 Firefox/9"))
    with gzip.open(folder / "apache-combined-few.log.gz", "wt") as file:
        file.write("\n".join(lines))
    return folder


def _line(address: str, at: datetime, path: str, referrer: str, agent: str) -> str:
    return f'{address} - - [{at:%d/%b/%Y:%H:%M:%S +0000}] "GET {path} HTTP/1.1" 200 10 "{referrer}" "{agent}"'


def test_the_hole_and_injected_hours_are_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(anomalies, "_TRIES", 5)
    call = ["anomalies", "globo", "--data", str(portal(tmp_path))]
    result = json.loads(CliRunner().invoke(bench, [*call, "--json"], catch_exceptions=False).stdout)["globo"]
    assert (result["hole_steps"], result["hole_first_step"], result["false_episodes"]) == (13, 0, 0)
    assert result["injected"]["×3"]["share"] == result["injected"]["÷5"]["share"] == 1
    told = CliRunner().invoke(bench, call, catch_exceptions=False).output
    assert "13 of 13 steps" in told
    assert "steps of the hole: 1.00 × all (goal ≥ 1: holds)" in told


def test_bots_are_told_by_what_they_ask_for(tmp_path: Path) -> None:
    result = anomalies.weblogs(log(tmp_path))
    assert {one["visitors"] for one in result.values()} == {240}
    assert all(one["pr_auc"] == pytest.approx(1) for one in result.values())
    assert all("holds" in line for line in anomalies.goals({"weblogs": result}))


def test_a_folder_without_the_data_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"holds no clicks_hour_\*\.csv\.gz"):
        anomalies.globo(tmp_path)
    with pytest.raises(UsageError, match=r"holds no apache-combined\*\.log\.gz"):
        anomalies.weblogs(tmp_path)
    with pytest.raises(UsageError, match="say which, globo or weblogs"):
        CliRunner().invoke(bench, ["anomalies", "--data", str(tmp_path)], catch_exceptions=False)


REAL = Path("/work/shared/data")


@pytest.mark.stress
@pytest.mark.parametrize("name", ["globo", "weblogs"])
@pytest.mark.skipif(not REAL.is_dir(), reason=f"the real data is not in {REAL}")
def test_on_the_real_data_the_goals_hold(name: str) -> None:
    result = {name: getattr(anomalies, name)(REAL / FOLDERS[name].name)}
    assert [line for line in anomalies.goals(result) if "MISSED" in line] == []
