"""What tests of several folders share."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

Pair = tuple[str, str, float, float, float]
"""person, item, strength, day of the first event, day of the last event."""

WriteInteractions = Callable[..., int]


@pytest.fixture
def write_interactions() -> WriteInteractions:
    """`write(lake, pairs, mode="append", site="default")` puts pairs into gold.interactions, without Spark; its version."""
    return _write


def _write(lake: Path, pairs: Iterable[Pair], mode: str = "append", site: str = "default") -> int:
    from deltalake import DeltaTable, write_deltalake

    from nextclick import arrow
    from nextclick.tables.gold import INTERACTIONS

    start = datetime(2026, 1, 1, tzinfo=UTC)
    rows = [
        (site, person, item, strength, 1, 1, 0, 0, 0, 0, start + timedelta(days=first), start + timedelta(days=last))
        for person, item, strength, first, last in pairs
    ]
    columns = list(zip(*rows, strict=True)) or [[] for _ in INTERACTIONS.columns]
    schema = arrow.schema(INTERACTIONS)
    table = pa.table([pa.array(values, field.type) for values, field in zip(columns, schema, strict=True)], schema=schema)
    path = lake / "gold" / "interactions"
    write_deltalake(path, table, mode=mode, configuration={"delta.enableChangeDataFeed": "true"})
    return int(DeltaTable(path).version())
