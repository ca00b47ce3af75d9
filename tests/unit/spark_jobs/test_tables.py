"""What tables of older versions gain, without a session."""

from pathlib import Path
from typing import Any, cast

import pyarrow as pa

from nextclick.contracts import silver
from nextclick.lake import commits, delta
from nextclick.settings import load
from spark_jobs import tables
from tests.table_rows import arrow, write

_FEED = "delta.enableChangeDataFeed"


def test_a_table_of_before_its_change_feed_has_one_from_the_next_job_on(tmp_path: Path) -> None:
    settings = load(tmp_path, environ={})
    write(settings.lake, "silver.items", [{"item_id": "lamp", "site": "s", "name": "Lamp"}])
    for _ in range(2):
        tables.ensure(cast(Any, None), settings, silver.ITEMS)
    present = delta.require(settings.lake, "silver.items")
    assert present.metadata().configuration[_FEED] == "true"
    assert present.version() == 1
    commits.merge(
        settings.lake, silver.ITEMS, arrow("silver.items", [{"item_id": "lamp", "site": "s", "name": "Lamp 2"}]), None
    )
    changes = pa.table(delta.require(settings.lake, "silver.items").load_cdf(starting_version=1))
    assert {(row["name"], row["_change_type"]) for row in changes.to_pylist()} == {
        ("Lamp", "delete"),
        ("Lamp 2", "insert"),
    }
