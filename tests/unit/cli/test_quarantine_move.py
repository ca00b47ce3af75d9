"""`nextclick quarantine move` says what it lacks before a JVM starts."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from cli.quarantine import quarantine
from nextclick.command import CommandContext


@pytest.mark.parametrize(
    ("options", "lacks"),
    [
        ((), "--id EVENT_ID, or --where CONDITION"),
        (("--id", "e1", "--where", "true", "--by", "Ada", "--why", "a test"), "one of the two"),
        (("--id", "e1", "--by", "Ada"), "--by NAME --why TEXT"),
        (("--where", "price > 1", "--why", "a test"), "--by NAME --why TEXT"),
    ],
)
def test_what_is_missing_is_named(tmp_path: Path, options: tuple[str, ...], lacks: str) -> None:
    answer = CliRunner().invoke(quarantine, ["move", *options], obj=CommandContext(lake=str(tmp_path / "lake")))
    assert lacks in str(answer.exception)
