"""The tables of the outbox, and a row of decisions as it is made. Times are milliseconds since 1970-01-01 UTC."""

from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import msgspec

SCHEMA: Final = """
CREATE TABLE meta (outbox_id TEXT NOT NULL, feed TEXT);
CREATE TABLE decisions (
    id TEXT PRIMARY KEY, trigger TEXT NOT NULL, site TEXT NOT NULL, person_id TEXT NOT NULL, visitor_id TEXT, user_id TEXT,
    due_at INTEGER NOT NULL, expires_at INTEGER NOT NULL, decided_at INTEGER NOT NULL, holdout REAL NOT NULL, window_s INTEGER NOT NULL,
    items TEXT NOT NULL, payload BLOB, outcome TEXT NOT NULL, ended_at INTEGER, error TEXT, tries INTEGER NOT NULL DEFAULT 0,
    next_at INTEGER NOT NULL DEFAULT 0, leased_until INTEGER NOT NULL DEFAULT 0, owner TEXT, is_logged INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE INDEX of_person ON decisions (site, person_id, decided_at);
CREATE INDEX of_visitor ON decisions (site, visitor_id, decided_at);
CREATE INDEX to_send ON decisions (next_at) WHERE outcome = 'waiting';
CREATE INDEX to_log ON decisions (decided_at) WHERE is_logged = 0 AND outcome <> 'waiting';
CREATE TABLE item_changes (
    site TEXT, item_id TEXT, kind TEXT, at TEXT, event_id TEXT, old_price TEXT, new_price TEXT, currency TEXT,
    PRIMARY KEY (site, item_id, kind, at, event_id)
) WITHOUT ROWID;
"""
TABLES: Final = ("meta", "decisions", "item_changes")


class OutboxContent(msgspec.Struct, frozen=True):
    """An outbox as it is kept in an object store."""

    format: int
    rows: dict[str, list[tuple[Any, ...]]]
    """Of each table, with its columns in the order of the schema."""


class TriggerDecision(NamedTuple):
    """A row of the outbox as it is decided; times are milliseconds since 1970-01-01 UTC."""

    id: str
    trigger: str
    site: str
    person_id: str
    visitor_id: str | None
    user_id: str | None
    due_at: int
    expires_at: int
    """Later nothing is sent."""
    decided_at: int
    holdout: float
    window_s: int
    items: str
    """JSON of the item ids."""
    payload: bytes | None
    """The webhook's body, of what is to be sent."""
    outcome: str
    ended_at: int | None
    """When the outcome was final."""
    error: str | None = None
    tries: int = 0


COLUMNS: Final = ", ".join(TriggerDecision._fields)


def ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def moment(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC)
