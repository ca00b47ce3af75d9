"""A backend of the key-value tables is one entry of one table; who adds one learns here which place was forgotten."""

import typing
from pathlib import Path

import msgspec
import pytest

from nextclick import kv
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
