"""deploy/prometheus, judged by Prometheus' own promtool."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import yaml

from nextclick import ports
from nextclick.lake.paths import Lake
from nextclick.settings import CHECKOUT
from tests.table_rows import write
from tests.unit.dashboard.test_deploy import board_queries
from tests.wait import wait_until

FOLDER = CHECKOUT / "deploy" / "prometheus"
pytestmark = [
    pytest.mark.servers,
    pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not there: apt-get install prometheus"),
]


def promtool(*words: str, within: Path = FOLDER) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["promtool", *words], cwd=within, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "words",
    [
        ("check", "rules", "nextclick.rules.yml"),
        ("test", "rules", "nextclick.test.yml"),
        ("check", "config", "--syntax-only", "prometheus.yml"),
    ],
    ids=" ".join,
)
def test_promtool_finds_nothing(words: tuple[str, ...]) -> None:
    done = promtool(*words)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_tests_of_the_rules_fail_where_a_threshold_moves(tmp_path: Path) -> None:
    for name in ("nextclick.rules.yml", "nextclick.test.yml"):
        shutil.copy(FOLDER / name, tmp_path)
    rules = (FOLDER / "nextclick.rules.yml").read_text(encoding="utf-8")
    for before, after in (
        ("> 900", "> 901"),
        ("> 93600", "> 93601"),
        ("> 129600", "> 200000"),
        ("residual_events > 0", "residual_events > 3"),
    ):
        assert before in rules
        (tmp_path / "nextclick.rules.yml").write_text(rules.replace(before, after, 1), encoding="utf-8")
        assert promtool("test", "rules", "nextclick.test.yml", within=tmp_path).returncode != 0, before


def test_every_query_of_grafanas_board_is_promql(tmp_path: Path) -> None:
    """As rules that record what a panel shows, since promtool checks these."""
    rules = [{"record": f"panel:{number}", "expr": query} for number, query in enumerate(board_queries())]
    file = tmp_path / "board.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "board", "rules": rules}]}))
    done = promtool("check", "rules", str(file))
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(rules)} rules found" in done.stdout


@pytest.mark.skipif(shutil.which("prometheus") is None, reason="prometheus is not there: apt-get install prometheus")
def test_a_real_prometheus_scrapes_the_dashboard_by_the_key_and_takes_the_rules(tmp_path: Path) -> None:
    """With deploy/prometheus/prometheus.yml, but for the lake's place, the ports and how often."""
    lake, port, own = tmp_path / "lake", ports.free("127.0.0.1", 0), ports.free("127.0.0.1", 0)
    write(Lake(lake), "gold.visits", [{"session_id": "a"}])
    config = (FOLDER / "prometheus.yml").read_text(encoding="utf-8")
    for before, after in (
        ("/srv/nextclick/lake", str(lake)),
        ("127.0.0.1:8090", f"127.0.0.1:{port}"),
        ("15s", "1s"),
        ("nextclick.rules.yml", str(FOLDER / "nextclick.rules.yml")),
    ):
        assert before in config
        config = config.replace(before, after)
    (tmp_path / "prometheus.yml").write_text(config, encoding="utf-8")
    dashboard = [sys.executable, "-c", "from cli.main import main; main()", "--lake", str(lake), "dashboard"]
    prometheus = ["prometheus", f"--config.file={tmp_path}/prometheus.yml", f"--storage.tsdb.path={tmp_path}/data"]
    with (
        running([*dashboard, "--port", str(port)]),
        running([*prometheus, f"--web.listen-address=127.0.0.1:{own}", "--log.level=error"]),
    ):
        rows = wait_until(
            lambda: queried(own, 'nextclick_table_rows{table="gold.visits",job="nextclick-lake"}'), 60, 0.1
        )
        assert rows == "1"
        assert queried(own, "min(nextclick_readable)") == "1", "of whatever the figures are read"
        groups = httpx.get(f"http://127.0.0.1:{own}/api/v1/rules").json()["data"]["groups"]
        assert {rule["health"] for group in groups for rule in group["rules"]} <= {"ok", "unknown"}
        alerts = (FOLDER / "nextclick.rules.yml").read_text(encoding="utf-8").count("- alert:")
        assert sum(len(group["rules"]) for group in groups) == alerts


@contextmanager
def running(command: list[str]) -> Iterator[None]:
    with subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            process.terminate()


def queried(port: int, query: str) -> str | None:
    """The value of the one series that a query gives; None while there is none, and while Prometheus starts."""
    try:
        answer = httpx.get(f"http://127.0.0.1:{port}/api/v1/query", params={"query": query})
    except httpx.TransportError:
        return None
    found = answer.json()["data"]["result"] if answer.is_success else []
    return next((str(series["value"][1]) for series in found), None)
