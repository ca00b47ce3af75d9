"""Settings: precedence, ranges, and errors that name the key."""

from datetime import timedelta
from pathlib import Path

import pytest

from nextclick.errors import SettingsError
from nextclick.settings import DEFAULT_CONF, SessionsSettings, WriteKey, load


def test_environment_wins_over_profile_and_profile_over_default() -> None:
    assert load(environ={}).als.factors == 64
    assert load(profile="test", environ={}).als.factors == 16
    assert load(profile="test", environ={"NEXTCLICK_ALS__FACTORS": "8"}).als.factors == 8


def test_lake_and_profile_come_from_the_call_first(tmp_path: Path) -> None:
    environ = {"NEXTCLICK_LAKE": str(tmp_path / "env"), "NEXTCLICK_PROFILE": "test"}
    assert load(environ=environ).lake.root == tmp_path / "env"
    assert load(lake=tmp_path / "call", environ=environ).lake.root == tmp_path / "call"
    assert load(environ=environ).profile == "test"


def test_a_lake_that_can_be_no_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for lake in (tmp_path / "file", tmp_path / "file" / "lake"):
        with pytest.raises(SettingsError, match=r"can be no folder, since .*file is a file"):
            load(lake, environ={})


@pytest.mark.parametrize(
    ("variable", "value", "named"),
    [
        ("NEXTCLICK_SESSIONS__GAP_MINUTES", "0", "sessions.gap_minutes"),
        ("NEXTCLICK_SESSIONS__GAP_MINUTES", "soon", "sessions.gap_minutes"),
        ("NEXTCLICK_SESSIONS__GAP", "30", "NEXTCLICK_SESSIONS__GAP"),
        ("NEXTCLICK_KV__BACKEND", "oracle", "kv.backend"),
        ("NEXTCLICK_SERVING__SECRET_KEY", "short", "serving.secret_key has 5 characters"),
        ("NEXTCLICK_COLLECTOR__SIGNING_SECRET", "fifteen letters", "collector.signing_secret has 15 characters"),
        ("NEXTCLICK_SERVING__READ_KEYS", "pk", "READ_KEYS stands for a table, which the environment holds as JSON"),
        ("NEXTCLICK_SERVING__READ_KEYS", '{"pk": {}}', "read_keys"),
        ("NEXTCLICK_SERVING__READ_KEYS_FILE", "/none", "serving.read_keys_file names /none, which cannot be read"),
    ],
)
def test_a_wrong_setting_is_named(variable: str, value: str, named: str) -> None:
    with pytest.raises(SettingsError, match=named):
        load(environ={variable: value})


def test_a_site_has_the_gap_of_its_own_or_that_of_all() -> None:
    assert load(environ={}).sessions.gaps == {}
    sessions = SessionsSettings(gap_minutes=30, overlong_hours=24, gaps={"shop": 45, "news": 10})
    assert [sessions.gap_for(site) for site in ("shop", "news", "blog")] == [timedelta(minutes=m) for m in (45, 10, 30)]
    assert sessions.gap_ms_for("shop") == 45 * 60_000
    assert sessions.longest_gap == timedelta(minutes=45)
    assert load(environ={}).sessions.longest_gap == load(environ={}).sessions.gap_for("any")


def test_gaps_of_sites_come_from_a_profile_and_are_checked(tmp_path: Path) -> None:
    (tmp_path / "default.toml").write_bytes((DEFAULT_CONF / "default.toml").read_bytes())
    profile = tmp_path / "mine.toml"
    profile.write_text('[sessions.gaps]\nshop = 45\n"shop.example" = 60\n')
    sessions = load(conf_dir=tmp_path, profile="mine", environ={}).sessions
    assert sessions.gaps == {"shop": 45, "shop.example": 60}
    profile.write_text("[sessions.gaps]\nshop = 0\n")
    with pytest.raises(SettingsError, match=r"sessions\.gaps"):
        load(conf_dir=tmp_path, profile="mine", environ={})


def test_keys_come_from_conf_and_the_environment_and_a_file_of_their_own(tmp_path: Path) -> None:
    toml, json = tmp_path / "keys.toml", tmp_path / "keys.json"
    toml.write_text('pk = { site = "shop", kinds = ["page_view"], users = "signed", oldest_days = 2 }\n')
    json.write_text('{"more": {"site": "shop"}, "none": {"site": "shop", "users": false}}')
    environ = {
        "NEXTCLICK_COLLECTOR__WRITE_KEYS_FILE": str(toml),
        "NEXTCLICK_COLLECTOR__WRITE_KEYS": '{"own": {"site": "news", "users": true}}',
    }
    keys = load(environ=environ).collector.write_keys
    assert keys["pk"] == WriteKey(site="shop", kinds=("page_view",), users="signed", oldest_days=2)
    assert keys["own"] == WriteKey(site="news")
    users = load(environ={"NEXTCLICK_COLLECTOR__WRITE_KEYS_FILE": str(json)}).collector.write_keys
    assert {name: key.users for name, key in users.items()} == {"more": True, "none": False}
    json.write_text("[]")
    with pytest.raises(SettingsError, match="no table of keys"):
        load(environ={"NEXTCLICK_SERVING__READ_KEYS_FILE": str(json)})


def test_a_conf_dir_without_defaults_and_a_profile_that_is_a_path_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"default\.toml is not there"):
        load(conf_dir=tmp_path, environ={})
    with pytest.raises(SettingsError, match="not a plain name"):
        load(profile="../secrets", environ={})
