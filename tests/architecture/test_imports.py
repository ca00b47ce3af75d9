"""Imports point down, and what is heavy is imported by its one owner alone: the contracts of pyproject.toml."""

import subprocess
import sys
from pathlib import Path

import click
import pytest

from cli.main import VERBS, verb
from nextclick.settings import CHECKOUT


def test_the_contracts_of_import_linter_hold() -> None:
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


HEAVY = (
    "pyspark",
    "delta",
    "deltalake",
    "pandas",
    "numpy",
    "pyarrow",
    "mlflow",
    "dagster",
    "great_expectations",
    "duckdb",
)


def modules_after(code: str) -> set[str]:
    """The top-level modules that a fresh Python has loaded after `code`."""
    script = f"import sys\n{code}\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    return set(
        subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout.split()
    )


def test_help_imports_nothing_heavy() -> None:
    code = "from cli.main import cli\ncli(['--help'], standalone_mode=False)"
    assert not modules_after(code) & set(HEAVY)


def test_the_set_up_needs_no_package() -> None:
    packages = {"click", "msgspec", "rich", *HEAVY}
    assert not modules_after("sys.path.insert(0, '.')\nimport spark_jobs.jars, spark_jobs.java") & packages


@pytest.mark.parametrize("name", VERBS)
def test_each_verb_is_there_and_its_help_shows_examples(name: str) -> None:
    command = verb(name)
    assert isinstance(command, click.Command)
    assert command.name == name
    examples = [line for line in (command.help or "").splitlines() if line.lstrip().startswith("nextclick ")]
    assert any(f" {name}" in line for line in examples)


def test_each_module_of_the_verbs_is_listed() -> None:
    modules = {path.stem.rstrip("_").replace("_", "-") for path in (CHECKOUT / "cli").glob("[a-z]*.py")}
    assert modules == {"main", *VERBS}
