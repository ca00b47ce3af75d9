"""`python -m demo`: what it removes, what it never removes, how it is called."""

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from demo.__main__ import MARK, clear, command, demo
from nextclick.errors import UsageError
from nextclick.settings import CHECKOUT


def test_a_folder_that_is_not_there_is_made_and_marked(tmp_path: Path) -> None:
    clear(tmp_path / "lake")
    assert [path.name for path in (tmp_path / "lake").iterdir()] == [MARK]


def test_the_demos_own_lake_is_emptied(tmp_path: Path) -> None:
    clear(tmp_path)
    (tmp_path / "bronze").mkdir()
    (tmp_path / "bronze" / "part").touch()
    (tmp_path / "note").touch()
    clear(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [MARK]


def test_a_lake_of_somebody_else_stays(tmp_path: Path) -> None:
    (tmp_path / "precious").touch()
    with pytest.raises(UsageError, match="was not made by the demo"):
        clear(tmp_path)
    assert (tmp_path / "precious").exists()


def test_a_file_in_the_place_of_the_lake_stays(tmp_path: Path) -> None:
    (tmp_path / "lake").touch()
    with pytest.raises(UsageError):
        clear(tmp_path / "lake")
    assert (tmp_path / "lake").is_file()


def test_refusing_a_lake_is_wrong_usage(tmp_path: Path) -> None:
    (tmp_path / "precious").touch()
    done = subprocess.run(
        [sys.executable, "-m", "demo", "--lake", tmp_path], cwd=CHECKOUT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "was not made by the demo" in done.stderr
    assert not done.stdout


def test_help_shows_examples() -> None:
    shown = CliRunner().invoke(demo, ["--help"])
    assert shown.exit_code == 0
    assert "python -m demo --seed 8" in shown.output


def test_the_command_to_copy_is_found_from_the_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert command().endswith("bin/nextclick")
