"""What visitors wrote is printed, and steers no terminal: no escape sequence, no line that passes for one of ours."""

import json

import click
import pytest
from click.testing import CliRunner

from cli.main import cli
from cli.parts import console_table
from collector.replay import replay
from nextclick.command import print_json, run_command
from nextclick.errors import LakeError
from nextclick.visible import visible

EVIL = "\x1b]0;pwned\x07\r\nnextclick: forged \x9b2J\u202e\u200f\ud800"
SHOWN = r"\x1b]0;pwned\x07\r\nnextclick: forged \x9b2J\u202e\u200f\ud800"


def test_a_text_is_shown_with_its_control_characters_in_words() -> None:
    assert visible(EVIL) == SHOWN
    assert visible("größe\nключ 😀", keep="\n") == "größe\nключ 😀"


def test_tables_show_it(capsys: pytest.CaptureFixture[str]) -> None:
    console_table.show(["item"], [[EVIL]])
    assert "".join(capsys.readouterr().out.split()).endswith("".join(SHOWN.split()))


def test_json_holds_the_same_and_shows_it(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"item": EVIL})
    printed = capsys.readouterr().out
    assert json.loads(printed) == {"item": EVIL}
    assert printed.rstrip("\n").isprintable()


def test_rejects_show_it(monkeypatch: pytest.MonkeyPatch) -> None:
    record = replay.Record(
        id="door:s:1", reason="bad_type", message=EVIL, source=EVIL, received_at=0, replayable=True, payload=EVIL
    )
    monkeypatch.setattr(replay, "records", lambda *_: [record])
    shown = CliRunner().invoke(cli, ["quarantine", "show"], catch_exceptions=False).stdout
    assert shown.count(SHOWN) == 3
    assert shown.replace("\n", "").isprintable()


def test_an_error_shows_it_and_keeps_its_lines(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["nextclick"])

    @click.command
    def fail() -> None:
        raise LakeError(f"first\nsecond {EVIL}")

    with pytest.raises(SystemExit):
        run_command(fail)
    said = capsys.readouterr().err
    assert said.startswith("nextclick: first\nsecond \\x1b]0;pwned")
    assert said.replace("\n", "").isprintable()
