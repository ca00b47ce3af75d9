"""`nextclick audience`: which there are, how many, who and why."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from analytics.audiences import nightly
from cli.main import cli
from nextclick.errors import AudienceError
from tests.audience_files import BUYERS, LOOKERS, event_row, settings_with
from tests.table_rows import write

FAR = 'event = "view_item"\nwithin = "90d"\nleast = 3'


def lake(tmp_path: Path) -> list[str]:
    settings = settings_with(
        tmp_path, {"buyers": BUYERS, "far": FAR, "lookers": LOOKERS, "off": f"off = true\n{BUYERS}"}
    )
    views = [event_row(number) for number in range(3)]
    write(settings.lake, "silver.events", [*views, event_row(9, "purchase", visitor="v2", user_id="u2")])
    nightly.run(settings)
    return ["--lake", str(settings.lake.root), "--conf-dir", str(settings.conf_dir), "--profile", "test"]


def ask(place: list[str], *words: str, code: int = 0) -> Any:
    result = CliRunner().invoke(cli, [*place, "audience", *words])
    assert (2 if result.exception and not isinstance(result.exception, SystemExit) else result.exit_code) == code, (
        result
    )
    return result


def test_without_a_name_all_are_listed_with_their_sizes(tmp_path: Path) -> None:
    place = lake(tmp_path)
    sizes = {one["name"]: one for one in json.loads(ask(place, "--json").stdout)}
    assert {name: (one["visitors"], one["users"], one["live"], one["off"]) for name, one in sizes.items()} == {
        "buyers": (1, 1, True, False),
        "far": (1, 0, False, False),
        "lookers": (1, 0, True, False),
        "off": (0, 0, True, True),
    }
    text = ask(place).stdout
    for word in ("lookers", "at every event", "nightly", "off"):
        assert word in text


def test_how_many_and_who(tmp_path: Path) -> None:
    place = lake(tmp_path)
    assert json.loads(ask(place, "buyers", "--size", "--json").stdout)["users"] == 1
    members = json.loads(ask(place, "buyers", "--who", "--json").stdout)
    assert sorted((one["kind"], one["id"]) for one in members) == [("user", "u2"), ("visitor", "v2")]
    assert len(json.loads(ask(place, "buyers", "--who", "-n", "1", "--json").stdout)) == 1
    assert "Nobody belonged to off" in ask(place, "off", "--who").stdout


def test_how_many_there_were_also_of_one_that_is_off(tmp_path: Path) -> None:
    place = lake(tmp_path)
    for name, counts in {"off": (1, 1), "lookers": (1, 0)}.items():
        tomorrow = f"{datetime.now(UTC) + timedelta(hours=1):%Y-%m-%dT%H:%M:%S}"
        then = json.loads(ask(place, name, "--size", "--at", tomorrow, "--json").stdout)
        assert (then["visitors"], then["users"]) == counts
    assert (
        "off at 2026-01-01 00:00:00 UTC: 0 visitors, 0 users"
        in ask(place, "off", "--size", "--at", "2026-01-01").stdout
    )


def test_why_somebody_belongs_or_does_not(tmp_path: Path) -> None:
    place = lake(tmp_path)
    why = json.loads(ask(place, "lookers", "--explain", "v1", "--json").stdout)
    assert (why["kind"], why["id"], why["belongs"]) == ("visitor", "v1", True)
    assert [(one["value"], one["holds"]) for one in why["conditions"]] == [(3, True), (0, False)]
    assert "The user u2 belongs to buyers now." in ask(place, "buyers", "--explain", "u2", "--user").stdout
    assert "The visitor nobody does not belong to buyers now." in ask(place, "buyers", "--explain", "nobody").stdout


def test_a_lake_without_events_explains_what_is_not_known(tmp_path: Path) -> None:
    settings = settings_with(tmp_path, {"regulars": 'fact = "orders"\nleast = 2'})
    place = ["--lake", str(settings.lake.root), "--conf-dir", str(settings.conf_dir)]
    assert "may belong" in ask(place, "regulars", "--explain", "v1").stdout


@pytest.mark.parametrize("verb", ["collect", "serve"])
def test_a_server_with_a_wrong_audience_does_not_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    monkeypatch.setattr(
        "cli.parts.server_verb.hand_down", lambda settings, **more: None
    )  # the environment is that of other tests
    settings = settings_with(tmp_path, {"wrong": 'event = "bought"\nwithin = "6h"'})
    place = ["--lake", str(settings.lake.root), "--conf-dir", str(settings.conf_dir)]
    result = CliRunner().invoke(cli, [*place, verb, "--port", "0"])
    assert isinstance(result.exception, AudienceError)
    assert "wrong.toml" in str(result.exception)


def test_wrong_calls_say_what_to_do(tmp_path: Path) -> None:
    place = lake(tmp_path)
    for words, says in {
        ("nobody", "--size"): "There is no audience 'nobody'. There are: buyers, far, lookers, off",
        ("buyers", "--size", "--who"): "choose one",
        ("buyers", "--at", "2026-01-01"): "--at is of --size",
        ("--who",): "Name an audience",
        ("buyers", "--user"): "add --explain ID",
    }.items():
        assert says in str(ask(place, *words, code=2).exception)
