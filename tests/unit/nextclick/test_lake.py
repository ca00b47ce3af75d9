"""A lake lies in a local folder that every reader of Delta tables finds again."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from cli.main import cli
from nextclick.errors import UsageError
from nextclick.lake.locks import hold
from nextclick.lake.paths import lake_at, open_to_others
from nextclick.object_store.bucket import Endpoint


@pytest.mark.parametrize(
    "name",
    ["with space", "läke", "100%", "a'b", "a+b", "a&b", "a;b", "ключ", "😀", "50% off", "what?", "#1", "{x}", "*"],
)
def test_a_folder_as_people_name_them_is_a_lake(tmp_path: Path, name: str) -> None:
    assert lake_at(tmp_path / name).root == tmp_path / name


@pytest.mark.parametrize("name", ["[x]", "a%20b", "a\\b", "a^b", "a|b", "a\nb"])
def test_a_folder_that_a_reader_would_miss_is_refused_before_anything_is_made(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="Choose a folder without"):
        lake_at(tmp_path / name / "lake")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "address",
    [
        "s3://bucket",
        "s3://bucket/../etc",
        "s3://bucket/a b",
        "s3://Bucket/l",
        "gs://b/l",
        "file:///tmp/lake",
        "abfss://c@a/l",
    ],
)
def test_an_address_is_refused(address: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="local folder"):
        CliRunner().invoke(cli, ["--lake", address, "status"], standalone_mode=False, catch_exceptions=False)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("address", ["s3://bucket/a/shop", "s3a://bucket/a/shop/"])
def test_a_lake_in_an_object_store_has_one_address_and_a_local_folder_beside_it(tmp_path: Path, address: str) -> None:
    lake = lake_at(address, Endpoint("http://127.0.0.1:9", "eu-central-1"), tmp_path)
    assert (lake.data, lake.table("gold.visits")) == ("s3://bucket/a/shop", "s3://bucket/a/shop/gold/visits")
    assert (lake.locks, lake.landing) == ("s3://bucket/a/shop/_state/locks", tmp_path / "bucket/a/shop/landing")
    assert lake_at(lake.data, None, tmp_path) == lake


def test_none_but_its_owner_may_look_into_a_new_lake(tmp_path: Path) -> None:
    lake = lake_at(tmp_path / "above" / "lake")
    lake.prepare()
    folders = (lake.root, lake.landing, lake.quarantine, lake.state, Path(lake.locks), lake.imports)
    assert {folder.stat().st_mode & 0o777 for folder in folders} == {0o700}
    assert open_to_others(lake) is None
    lake.root.chmod(0o755)
    lake.prepare()  # whose it is, and who else may read it, stays its owner's decision
    assert "chmod 700" in (open_to_others(lake) or "")
    assert open_to_others(lake_at(tmp_path / "none")) is None


def test_a_verb_that_finds_no_lake_and_takes_a_lock_makes_none_that_others_may_look_into(tmp_path: Path) -> None:
    lake = lake_at(tmp_path / "above" / "lake")
    with hold(lake.locks, "gold.visits", purpose="a test"):
        assert {each.stat().st_mode & 0o777 for each in (lake.root, lake.state, Path(lake.locks))} == {0o700}
    assert open_to_others(lake) is None
