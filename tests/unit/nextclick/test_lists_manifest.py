"""What commits of lists say of them."""

from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from nextclick.contracts import arrow, catalog
from nextclick.lake import commits, lists_manifest
from nextclick.lake.lists_manifest import ListsManifest
from nextclick.settings import load

_TABLE = catalog.table(lists_manifest.LISTS)
_NOW = ListsManifest(
    lists_id="20260101T000000000000-1",
    kind="full",
    site="default",
    model_version="1",
    run_id=None,
    interactions_version=0,
    interactions_id="a",
    generated_at=datetime(2026, 1, 1, tzinfo=UTC),
    people=0,
    changed=0,
    popular_version=0,
    similar_version=0,
    state="lists/a",
    digest="d",
    model_digest="d",
)


def test_lists_that_another_version_published_in_its_own_form_count_as_none(tmp_path: Path) -> None:
    lake = load(tmp_path, environ={}).lake
    nothing = pa.Table.from_pylist([], arrow.schema(_TABLE))
    commits.write(lake, _TABLE, nothing, "append", {lists_manifest.KEY: '{"kind": "full", "site": "default"}'})
    assert lists_manifest.read(lake) is None
    commits.write(lake, _TABLE, nothing, "append", lists_manifest.encode(_NOW))
    assert [manifest for _, manifest in lists_manifest.history(lake)] == [_NOW]
