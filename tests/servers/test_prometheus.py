"""deploy/prometheus, judged by Prometheus' own promtool."""

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from nextclick.settings import CHECKOUT
from tests.unit.dashboard.test_deploy import board_queries

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
