"""Histories for tests of predictions: `history` and `linked` as ml/predictions/history.py makes them, of events written by hand."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import duckdb
import pyarrow as pa

DAY = 86_400_000_000
HOUR = DAY // 24
MINUTE = HOUR // 60


class Did(NamedTuple):
    """Somebody did something; microseconds."""

    visitor: str
    at: int
    event: str = "page_view"
    user: str | None = None
    known: int | None = None
    """Where it was known later than it happened."""
    item: str | None = None
    price: str | None = None
    channel: str = "direct"
    previous: str | None = None
    """Of an alias."""
    id: str = ""


_SCHEMA = pa.schema(
    [
        (name, pa.string())
        for name in ("visitor_id", "user_id", "event_id", "event", "item_id", "category", "query", "price")
    ]
    + [(name, pa.string()) for name in ("channel", "device", "source", "site", "previous_id")]
    + [(name, pa.int64()) for name in ("happened", "known_from", "client_ms", "received_ms", "quantity", "dwell_ms")]
)


@contextmanager
def history_of(events: Iterable[Did]) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database with the events, in their order."""
    rows = [
        {
            "visitor_id": each.visitor,
            "user_id": each.user,
            "event_id": each.id or f"{each.visitor} {each.at} {each.event}",
            "event": each.event,
            "item_id": each.item,
            "price": each.price,
            "channel": each.channel,
            "device": "desktop",
            "source": "plain",
            "site": "s",
            "previous_id": each.previous,
            "happened": each.at,
            "known_from": each.at if each.known is None else each.known,
            "client_ms": each.at // 1000,
            "received_ms": (each.at if each.known is None else each.known) // 1000,
        }
        for each in events
    ]
    with duckdb.connect() as database:
        database.register("given", pa.Table.from_pylist(rows, _SCHEMA))
        database.execute("CREATE TABLE every AS SELECT *, make_timestamp(happened) AS occurred_at FROM given")
        database.execute("CREATE TABLE history AS FROM every WHERE event <> 'alias'")
        database.execute("CREATE TABLE linked AS FROM every WHERE user_id IS NOT NULL")
        yield database
