"""What tests of several folders share."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pytest

Pair = tuple[str, str, float, float, float]
"""person, item, strength, day of the first event, day of the last event."""

Mode = Literal["append", "overwrite"]
WriteInteractions = Callable[..., int]


@pytest.fixture
def write_interactions() -> WriteInteractions:
    """`write(lake, pairs, mode="append", site="default")` puts pairs into gold.interactions, without Spark; its version."""
    return _write


def _write(lake: Path, pairs: Iterable[Pair], mode: Mode = "append", site: str = "default") -> int:
    from deltalake import DeltaTable, write_deltalake

    from nextclick import arrow
    from nextclick.tables.gold import INTERACTIONS

    start = datetime(2026, 1, 1, tzinfo=UTC)
    rows = [
        (site, person, item, strength, 1, 1, 0, 0, 0, 0, start + timedelta(days=first), start + timedelta(days=last))
        for person, item, strength, first, last in pairs
    ]
    names = INTERACTIONS.column_names
    table = pa.Table.from_pylist(
        [dict(zip(names, row, strict=True)) for row in rows], schema=arrow.schema(INTERACTIONS)
    )
    path = lake / "gold" / "interactions"
    write_deltalake(path, table, mode=mode, configuration={"delta.enableChangeDataFeed": "true"})
    return int(DeltaTable(path).version())
