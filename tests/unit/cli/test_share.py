"""`nextclick share`: tokens that are said once, who has them, and wrong calls."""

import json
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from analytics.sharing.audit import Audit
from analytics.sharing.recipients import Recipients
from cli.main import cli
from nextclick.errors import SettingsError, UsageError
from nextclick.settings import Settings
from tests.shared_lake import settings_of


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_of(tmp_path)


def call(settings: Settings, *words: str) -> Result:
    place = ["--lake", str(settings.lake.root), "--conf-dir", str(settings.conf_dir)]
    return CliRunner().invoke(cli, [*place, "share", *words])


def test_a_token_stands_in_its_profile_file_alone(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "acme.share"
    done = call(settings, "recipient", "add", "acme", "--days", "2", "--to", str(file), "--endpoint", "https://x/ds")
    assert done.exit_code == 0, done.output
    profile = json.loads(file.read_text())
    assert (profile["shareCredentialsVersion"], profile["endpoint"]) == (1, "https://x/ds")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    recipient = Recipients(settings.lake).of_token(profile["bearerToken"])
    assert recipient
    assert recipient.name == "acme"
    assert profile["expirationTime"] == f"{recipient.ends_at:%Y-%m-%dT%H:%M:%S.000Z}"
    assert (recipient.ends_at - recipient.created_at).days == 2
    there = [path.read_bytes() for path in settings.lake.root.rglob("*") if path.is_file()]
    assert not [content for content in there if profile["bearerToken"].encode() in content]
    assert profile["bearerToken"] not in done.output


def test_the_usual_endpoint_is_that_of_the_settings(settings: Settings, tmp_path: Path) -> None:
    call(settings, "recipient", "add", "acme", "--to", str(tmp_path / "a"))
    assert json.loads((tmp_path / "a").read_text())["endpoint"] == "http://127.0.0.1:8095/delta-sharing"


def test_the_list_says_who_has_a_token_and_for_what(settings: Settings, tmp_path: Path) -> None:
    for name in ("acme", "own"):
        call(settings, "recipient", "add", name, "--to", str(tmp_path / name))
    assert call(settings, "recipient", "end", "own").exit_code == 0
    rows = json.loads(call(settings, "recipient", "list", "--json").output)
    assert [(row["name"], row["active"], row["shares"]) for row in rows] == [
        ("acme", True, ["acme", "all"]),
        ("own", False, ["all"]),
    ]
    assert "acme, all" in call(settings, "recipient", "list").output


def test_a_second_token_wants_the_first_one_ended(settings: Settings, tmp_path: Path) -> None:
    call(settings, "recipient", "add", "acme", "--to", str(tmp_path / "a"))
    again = call(settings, "recipient", "add", "acme", "--to", str(tmp_path / "b"))
    assert isinstance(again.exception, UsageError)
    assert "recipient end acme" in str(again.exception)
    assert not (tmp_path / "b").exists()
    call(settings, "recipient", "end", "acme")
    assert call(settings, "recipient", "add", "acme", "--to", str(tmp_path / "b")).exit_code == 0


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("recipient", "end", "acme"), "has no token"),
        (("recipient", "add", "acme", "--to", "/nowhere/acme.share"), "--to"),
        (("recipient", "add", "../acme", "--to", "/tmp/never"), "Lower-case letters"),
        (("serve", "--port", "99999"), ""),
        (("recipient", "add", "acme", "--days", "0"), ""),
    ],
)
def test_a_wrong_call_says_what_to_do(settings: Settings, words: tuple[str, ...], says: str) -> None:
    done = call(settings, *words)
    assert done.exit_code in (1, 2)
    assert says in str(done.exception)
    assert not Recipients(settings.lake).all()


def test_a_file_that_is_there_is_not_written_over(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("mine")
    assert isinstance(call(settings, "recipient", "add", "acme", "--to", str(tmp_path / "a")).exception, UsageError)
    assert (tmp_path / "a").read_text() == "mine"
    assert not Recipients(settings.lake).all()


def test_nothing_is_served_where_nothing_is_shared(settings: Settings) -> None:
    (settings.conf_dir / "shares.toml").write_text("")
    assert "names no share" in str(call(settings, "serve", "--port", "0").exception)
    (settings.conf_dir / "shares.toml").write_text("[shares.x]\nrecipients = []\n")
    assert isinstance(call(settings, "serve", "--port", "0").exception, SettingsError)


def test_reads_are_listed_the_newest_last(settings: Settings) -> None:
    for name, rows in (("acme", 1), ("own", 2), ("acme", 3)):
        Audit(settings.lake).add(recipient=name, what="query", status=200, share="all", table="gold.visits", rows=rows)
    reads = json.loads(call(settings, "reads", "--recipient", "acme", "--json").output)
    assert [read["rows"] for read in reads] == [1, 3]
    assert [read["rows"] for read in json.loads(call(settings, "reads", "-n", "1", "--json").output)] == [3]
    assert "gold.visits" in call(settings, "reads").output
