"""`nextclick triggers` as it is called."""

import json
import os
import shutil
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from cli.main import cli
from nextclick.errors import NextclickError, SettingsError, UsageError
from nextclick.settings import CHECKOUT, DEFAULT_CONF
from tests.trigger_lake import SECRET, Hook, event, settings_of, write_events
from tests.wait import wait_until

RULE = 'enabled = true\nconsent = "none"\nholdout = 0.0\nkeep_hours = 720\n[when]\nkind = "cart_left"\n'


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    folder = tmp_path / "conf"
    (folder / "triggers").mkdir(parents=True)
    shutil.copy(DEFAULT_CONF / "default.toml", folder)
    (folder / "triggers" / "left.toml").write_text(RULE)
    return folder


def call(tmp_path: Path, *options: str, url: str = "http://127.0.0.1:9/") -> Any:
    environment = {
        "NEXTCLICK_TRIGGERS__URL": url,
        "NEXTCLICK_TRIGGERS__SECRET": SECRET,
        "NEXTCLICK_TRIGGERS__TRIES": "1",
    }
    places = ["--lake", str(tmp_path / "lake"), "--conf-dir", str(tmp_path / "conf")]
    return CliRunner().invoke(cli, [*places, "triggers", *options], env=environment, catch_exceptions=False)


def leave_a_cart(tmp_path: Path, visitor: str = "v") -> None:
    at = datetime.now(UTC) - timedelta(hours=2)
    stamps = {"client_time": at, "occurred_at": at, "received_at": datetime.now(UTC)}
    write_events(settings_of(tmp_path / "lake").lake, [event(visitor, "add_to_cart", 0, "lamp", **stamps)])


def test_once_sends_says_so_and_leaves_a_dead_letter_that_is_replayed(tmp_path: Path, conf: Path) -> None:
    leave_a_cart(tmp_path)
    said = json.loads(call(tmp_path, "--once", "--json").stdout)
    assert (said["decided"], said["tried"], said["logged"]) == ({"waiting": 1}, 1, 1)
    [letter] = json.loads(call(tmp_path, "--dead", "--json").stdout)
    assert (letter["trigger"], letter["error"], letter["tries"]) == ("left", "ConnectError", 1)
    assert letter["id"] in call(tmp_path, "--dead").stdout
    with pytest.raises(UsageError, match="--dead"):
        call(tmp_path, "--replay", "trg_nobody")
    assert json.loads(call(tmp_path, "--replay", letter["id"], "--json").stdout) == {"replayed": 1}
    with Hook() as hook:
        assert "webhooks tried: 1" in call(tmp_path, "--once", url=hook.url).stdout
    assert [*hook.bodies] == [letter["id"]]
    assert call(tmp_path, "--dead").stdout == "No dead letters.\n"
    [row] = json.loads(call(tmp_path, "--list", "--json").stdout)
    assert row == {"name": "left", "kind": "cart_left", "enabled": True, "decided": {"sent": 1}}


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        (("--once", "--dead"), UsageError, "choose one"),
        (("--once",), SettingsError, "triggers.hosts"),
    ],
)
def test_a_wrong_call_says_what_to_do(
    tmp_path: Path, conf: Path, options: tuple[str, ...], error: type[NextclickError], says: str
) -> None:
    with pytest.raises(error, match=says):
        call(tmp_path, *options, url="https://hooks.example/x")


def test_without_a_trigger_that_is_on_it_says_where_one_is_switched_on(tmp_path: Path, conf: Path) -> None:
    (conf / "triggers" / "left.toml").write_text(RULE.replace("true", "false"))
    with pytest.raises(UsageError, match="enabled = true"):
        call(tmp_path, "--once")
    assert "off" in call(tmp_path, "--list").stdout


def test_on_sigterm_it_ends_what_is_on_its_way_and_exits_well(tmp_path: Path, conf: Path) -> None:
    leave_a_cart(tmp_path)
    with Hook() as hook:
        environment = {
            **os.environ, "PYTHONPATH": str(CHECKOUT), "NEXTCLICK_TRIGGERS__URL": hook.url, "NEXTCLICK_TRIGGERS__SECRET": SECRET,
            "NEXTCLICK_TRIGGERS__LOOK_SECONDS": "0.1",
        }  # fmt: skip
        program = [sys.executable, "-c", "from cli.main import main; main()"]
        command = [*program, "--lake", str(tmp_path / "lake"), "--conf-dir", str(conf), "triggers", "--json"]
        worker = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        wait_until(lambda: bool(hook.bodies), 60)
        leave_a_cart(tmp_path, "w")
        wait_until(lambda: len(hook.bodies) == 2, 60)
        worker.send_signal(signal.SIGTERM)
        out, err = worker.communicate(timeout=60)
    assert worker.returncode == 0, err
    assert sum(json.loads(line)["logged"] for line in out.splitlines()) == 2
    assert "stopped" in err
    assert SECRET not in out + err
    assert hook.url not in out + err
