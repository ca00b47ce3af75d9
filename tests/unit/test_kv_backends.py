"""A backend of the key-value tables is one entry of one table; who adds one learns here which place was forgotten."""

import typing
from pathlib import Path

import msgspec
import pytest

from nextclick import kv
from nextclick.errors import SettingsError
from nextclick.kv.backends import BACKENDS
from nextclick.settings import CHECKOUT, KvSettings, Settings, load


@pytest.fixture(params=BACKENDS)
def chosen(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    settings = load(tmp_path / "lake", profile="test", environ={})
    return msgspec.structs.replace(settings, kv=msgspec.structs.replace(settings.kv, backend=request.param))


def test_the_settings_take_every_backend_and_no_other() -> None:
    assert set(typing.get_args(typing.get_type_hints(KvSettings)["backend"])) == set(BACKENDS)


def test_the_comment_of_the_default_names_every_backend() -> None:
    lines = (CHECKOUT / "conf" / "default.toml").read_text(encoding="utf-8").splitlines()
    comment = next(line for line in lines if line.startswith("backend ="))
    assert all(f'"{name}"' in comment.partition("#")[2] for name in BACKENDS)


def test_a_backend_opens_lists_and_profiles_without_connecting(chosen: Settings) -> None:
    kv.open_table(chosen)
    kv.open_profiles(chosen)
    assert not chosen.lake.kv.exists()


@pytest.mark.parametrize("url", ["redis://127.0.0.1/0?foo=bar", "localhost:6379", "redis://127.0.0.1:port/0"])
def test_a_wrong_address_of_redis_is_a_wrong_setting(url: str) -> None:
    settings = load(environ={"NEXTCLICK_KV__BACKEND": "redis", "NEXTCLICK_KV__REDIS_URL": url})
    for opened in (kv.open_table, kv.open_profiles):
        with pytest.raises(SettingsError, match=r"kv\.redis_url is not the address"):
            opened(settings)


@pytest.mark.parametrize(
    "url",
    [
        "redis://user:word@h:1/2",
        "rediss://h/0?ssl_cert_reqs=none",
        "unix:///run/redis.sock?db=1",
        "redis://h?health_check_interval=2",
    ],
)
def test_an_address_of_redis_may_have_an_account_tls_a_socket_and_parameters(url: str) -> None:
    kv.open_table(load(environ={"NEXTCLICK_KV__BACKEND": "redis", "NEXTCLICK_KV__REDIS_URL": url}))
