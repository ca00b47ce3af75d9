"""What commits say of themselves, also below folders where deltalake's own history is empty."""

from pathlib import Path

import pytest
from deltalake import DeltaTable

from nextclick.contracts import arrow
from nextclick.contracts.gold import DATA_QUALITY
from nextclick.errors import LakeError
from nextclick.lake import commits, delta
from nextclick.lake.paths import Lake, lake_at
from tests.conftest import LAKE


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """Three commits of one table: made, and twice no row."""
    lake = lake_at(tmp_path / LAKE)
    nothing = arrow.schema(DATA_QUALITY).empty_table()
    for _ in range(2):
        commits.write(lake, DATA_QUALITY, nothing, "append")
    return lake


def versions(lake: Lake, version: int | None = None) -> list[int]:
    table = delta.require(lake, DATA_QUALITY.name, version)
    return [commit["version"] for commit in delta.history(lake, DATA_QUALITY.name, table)]


def test_commits_come_newest_first_from_the_version_that_is_open(lake: Lake) -> None:
    assert DeltaTable(lake.table(DATA_QUALITY.name)).history() == []  # deltalake 1.6.6 looks elsewhere behind a #
    assert versions(lake) == [2, 1, 0]
    assert versions(lake, 1) == [1, 0]
    [newest, *_] = delta.history(lake, DATA_QUALITY.name, delta.require(lake, DATA_QUALITY.name))
    assert newest["operation"] == "WRITE"


def test_a_log_that_was_cleaned_ends_where_it_ends_and_a_damaged_one_is_named(lake: Lake) -> None:
    table = delta.require(lake, DATA_QUALITY.name)
    log = Path(lake.table(DATA_QUALITY.name)) / "_delta_log"
    (log / f"{0:020}.json").unlink()
    assert [commit["version"] for commit in delta.history(lake, DATA_QUALITY.name, table)] == [2, 1]
    (log / f"{2:020}.json").write_text('{"commitInfo":{')
    with pytest.raises(LakeError, match=r"Delta log of gold\.data_quality cannot be read"):
        list(delta.history(lake, DATA_QUALITY.name, table))
