"""`nextclick up` for real: both pages answer on loopback, and everything ends with it."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from nextclick.settings import CHECKOUT
from orchestration.pages import HOST

NEXTCLICK = str(Path(sys.executable).parent / "nextclick")


@pytest.fixture
def up(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    command = [NEXTCLICK, "--lake", str(tmp_path / "lake"), "up", "--port", "0", "--mlflow-port", "0", "--json"]
    with subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


def descendants(parent: int) -> set[int]:
    """Process ids of all that `parent` started, and what these started."""
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return {int(child) for child in children} | {one for child in children for one in descendants(int(child))}


def page(address: str) -> str:
    with urllib.request.urlopen(address, timeout=30) as answer:
        return str(answer.read().decode())


@pytest.mark.slow
@pytest.mark.skipif(not Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").exists(), reason="needs Linux's /proc")
def test_both_pages_answer_and_nothing_is_left_after_sigterm(up: subprocess.Popen[str]) -> None:
    assert up.stdout
    addresses = json.loads(up.stdout.readline())
    assert all(address.startswith(f"http://{HOST}:") for address in addresses.values())
    assert "dagster" in page(addresses["dagster"]).lower()
    assert "mlflow" in page(addresses["mlflow"]).lower()
    started = descendants(up.pid)
    assert len(started) >= 2

    up.send_signal(signal.SIGTERM)
    assert up.wait(timeout=60) == 0
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and any(Path(f"/proc/{one}").exists() for one in started):
        time.sleep(0.1)
    assert not [one for one in started if Path(f"/proc/{one}").exists()]
