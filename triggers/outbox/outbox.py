"""The outbox: every decision, and every webhook before its first try, in a SQLite file of this machine.

Of a lake in an object store it is a copy of what is kept there (triggers/outbox/turn.py).
A Delta commit takes too long for a row before each try, and two workers would wait for each other; here each change is one
transaction that is on disk when it returns (write-ahead log, synchronous = FULL), and a killed process leaves none half done.
A worker leases what it sends; a lease that ran out is anybody's. So a webhook may go out twice, always under the same id.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, Self
from uuid import uuid4

import msgspec

from nextclick import formats
from nextclick.errors import LakeError
from nextclick.lake import files
from nextclick.lake.day_changes import DayCursor
from nextclick.lake.paths import Lake
from triggers.occasions.item_feed import ItemChange
from triggers.outbox.deciding import Deciding
from triggers.outbox.schema import COLUMNS, SCHEMA, TABLES, OutboxContent, TriggerDecision, ms

_BUSY_SECONDS: Final = 60.0
SWITCHED_OFF: Final = "the trigger was switched off"


def _path(lake: Lake) -> Path:
    return lake.state / "triggers.db"


def owner_address(lake: Lake) -> str:
    """Where it is said which outbox is the lake's."""
    return f"{lake.shared}/triggers-outbox"


class Outbox:
    """One connection to the outbox of a lake, for one thread at a time; several processes may have one."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._clearly():
            self._db = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._make()

    @classmethod
    def of(cls, lake: Lake) -> Self:
        """The outbox of a lake, made if it is not there. LakeError where a lake on a disk has one elsewhere: two would send everything
        twice.
        """
        lake.prepare()
        outbox = cls(_path(lake))
        if not lake.address:
            outbox.refuse_another(lake, files.create(owner_address(lake), outbox.id.encode()))
        return outbox

    @classmethod
    def existing(cls, lake: Lake) -> Self | None:
        """As `of`; None where this machine has none."""
        return cls.of(lake) if _path(lake).exists() else None

    @classmethod
    def in_memory(cls) -> Self:
        """One that nobody else sees."""
        return cls(Path(":memory:"))

    def refuse_another(self, lake: Lake, owner: bytes | None) -> None:
        """LakeError where `owner` is another outbox than this one."""
        if owner is not None and owner.decode() != self.id:
            raise LakeError(
                f"The triggers of {lake.data} are sent from another outbox ({owner.decode()}; that in {lake.state} is {self.id}), and two "
                "would send everything twice. Call `nextclick triggers` on that machine, or bring its triggers.db here."
            )

    def close(self) -> None:
        self._db.close()

    @property
    def id(self) -> str:
        return str(self._rows("SELECT outbox_id FROM meta")[0][0])

    # The whole of it

    @property
    def changes(self) -> int:
        """Another number after each change by this connection."""
        return self._db.total_changes

    def content(self) -> OutboxContent:
        """All that it holds, at one moment."""
        with self._transaction():
            rows = {name: self._db.execute(f"SELECT * FROM {name}").fetchall() for name in TABLES}
        return OutboxContent(format=formats.OUTBOX, rows=rows)

    def restore(self, content: OutboxContent) -> None:
        """Hold this instead, at once. LakeError where a newer nextclick wrote it."""
        formats.refuse_newer(f"The outbox that {self._path} is to hold", content.format, formats.OUTBOX)
        with self._transaction():
            for name in TABLES:
                self._db.execute(f"DELETE FROM {name}")
                if rows := content.rows[name]:
                    marks = ", ".join("?" * len(rows[0]))
                    self._db.executemany(f"INSERT INTO {name} VALUES ({marks})", rows)

    # What is decided

    @contextmanager
    def deciding(self) -> Iterator[Deciding]:
        """Around decisions that are made together: all of them are on disk at the end, or none; others wait meanwhile."""
        with self._transaction():
            yield Deciding(self._db)

    def undecided(self, ids: Sequence[str]) -> set[str]:
        """Those of the ids of which nothing was decided yet."""
        listed = json.dumps(ids)
        known = self._rows("SELECT id FROM decisions WHERE id IN (SELECT value FROM json_each(?))", listed)
        return {*ids} - {row[0] for row in known}

    # What is sent

    def claim(self, owner: str, now: int, until: int, most: int) -> list[TriggerDecision]:
        """Lease up to `most` webhooks that may be tried now, until then."""
        query = f"""
            UPDATE decisions SET owner = ?, leased_until = ? WHERE id IN (
                SELECT id FROM decisions WHERE outcome = 'waiting' AND next_at <= ? AND leased_until <= ? ORDER BY next_at, id LIMIT ?
            ) RETURNING {COLUMNS}
        """
        return [TriggerDecision(*row) for row in self._rows(query, owner, until, now, now, most)]

    def begin_try(self, id: str, owner: str, until: int) -> bool:
        """Count a try before it is made; false where the lease was lost, so another may be sending."""
        query = "UPDATE decisions SET tries = tries + 1, leased_until = ? WHERE id = ? AND owner = ? AND outcome = 'waiting'"
        return self._change(query, until, id, owner) == 1

    def put_back(self, id: str, owner: str, next_at: int, error: str) -> None:
        """To be tried again at `next_at`."""
        query = "UPDATE decisions SET leased_until = 0, next_at = ?, error = ? WHERE id = ? AND owner = ? AND outcome = 'waiting'"
        self._change(query, next_at, error, id, owner)

    def sent(self, id: str, now: int) -> None:
        """The receiver said yes; that counts whoever asked, and also where somebody gave up meanwhile."""
        query = """
            UPDATE decisions SET outcome = 'sent', ended_at = ?, error = NULL, payload = NULL, is_logged = 0
            WHERE id = ? AND outcome IN ('waiting', 'failed')
        """
        self._change(query, now, id)

    def fail(self, id: str, owner: str, now: int, error: str) -> None:
        """A dead letter."""
        query = "UPDATE decisions SET outcome = 'failed', ended_at = ?, error = ? WHERE id = ? AND owner = ? AND outcome = 'waiting'"
        self._change(query, now, error, id, owner)

    def stop_others(self, triggers: Sequence[str], now: int) -> None:
        """Webhooks that wait for other triggers than these become dead letters: those were switched off."""
        query = f"""
            UPDATE decisions SET outcome = 'failed', ended_at = ?, error = '{SWITCHED_OFF}'
            WHERE outcome = 'waiting' AND trigger NOT IN (SELECT value FROM json_each(?))
        """
        self._change(query, now, json.dumps(triggers))

    def dead(self) -> list[TriggerDecision]:
        """The dead letters, oldest first."""
        return self._decisions("outcome = 'failed' ORDER BY ended_at, id")

    def replay(self, ids: Sequence[str], now: int, until: int) -> int:
        """Send dead letters again, from the first try on, until then; how many there were."""
        query = """
            UPDATE decisions
            SET outcome = 'waiting', tries = 0, next_at = ?, leased_until = 0, is_logged = 0, expires_at = max(expires_at, ?)
            WHERE outcome = 'failed' AND id IN (SELECT value FROM json_each(?))
        """
        return self._change(query, now, until, json.dumps(ids))

    def next_at(self) -> int | None:
        """When the next webhook may be tried; None where none waits."""
        soonest = self._rows("SELECT min(max(next_at, leased_until)) FROM decisions WHERE outcome = 'waiting'")[0][0]
        return None if soonest is None else int(soonest)

    # What is logged, kept and counted

    def unlogged(self, most: int) -> list[TriggerDecision]:
        """Final decisions that are not in the landing log yet, as far as this machine knows."""
        return self._decisions("is_logged = 0 AND outcome <> 'waiting' ORDER BY decided_at, id LIMIT ?", most)

    def logged(self, decisions: Iterable[TriggerDecision]) -> None:
        """These are in the landing log; what was decided anew since then is not."""
        with self._transaction():
            self._db.executemany(
                "UPDATE decisions SET is_logged = 1 WHERE id = ? AND outcome = ? AND ended_at = ?",
                [(each.id, each.outcome, each.ended_at) for each in decisions],
            )

    def counts(self) -> dict[str, dict[str, int]]:
        """Decisions by trigger and outcome, as far as they are remembered."""
        counts: dict[str, dict[str, int]] = {}
        for name, outcome, count in self._rows(
            "SELECT trigger, outcome, count(*) FROM decisions GROUP BY 1, 2 ORDER BY 1, 2"
        ):
            counts.setdefault(name, {})[outcome] = count
        return counts

    def feed(self) -> DayCursor | None:
        """How far the change feed of items is read."""
        said = self._rows("SELECT feed FROM meta")[0][0]
        return msgspec.json.decode(said, type=DayCursor) if said else None

    def keep_changes(self, changes: Iterable[ItemChange], cursor: DayCursor, before: DayCursor | None) -> None:
        """Changes of items and how far they are read, together; nothing where another worker was faster."""
        said, expected = (msgspec.json.encode(each).decode() if each else None for each in (cursor, before))
        with self._transaction():
            if self._db.execute("UPDATE meta SET feed = ? WHERE feed IS ?", (said, expected)).rowcount:
                rows = [(*each[:3], each.at.isoformat(), *each[4:]) for each in changes]
                self._db.executemany("INSERT OR IGNORE INTO item_changes VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)

    def item_changes(self) -> tuple[ItemChange, ...]:
        rows = self._rows("SELECT * FROM item_changes ORDER BY at, site, item_id, kind, event_id")
        return tuple(ItemChange._make((*row[:3], datetime.fromisoformat(row[3]), *row[4:])) for row in rows)

    def forget(self, now: datetime, days: int) -> None:
        """Drop what was decided, and what changed, so long ago."""
        oldest = now - timedelta(days=days)
        with self._transaction():
            self._db.execute(
                "DELETE FROM decisions WHERE is_logged = 1 AND outcome <> 'waiting' AND decided_at < ?", (ms(oldest),)
            )
            self._db.execute("DELETE FROM item_changes WHERE at < ?", (oldest.isoformat(),))

    def _make(self) -> None:
        """The tables, made once; LakeError where a newer nextclick made them."""
        with self._transaction():
            version = self._db.execute("PRAGMA user_version").fetchone()[0]
            formats.refuse_newer(f"The outbox {self._path}", version, formats.OUTBOX)
            if version == 0:
                for statement in SCHEMA.split(";\n"):
                    self._db.execute(statement)
                self._db.execute("INSERT INTO meta (outbox_id) VALUES (?)", (uuid4().hex,))
                self._db.execute(f"PRAGMA user_version = {formats.OUTBOX}")

    def _decisions(self, where: str, *values: Any) -> list[TriggerDecision]:
        return [TriggerDecision(*row) for row in self._rows(f"SELECT {COLUMNS} FROM decisions WHERE {where}", *values)]

    def _rows(self, query: str, *values: Any) -> list[Any]:
        with self._clearly():
            return self._db.execute(query, values).fetchall()

    def _change(self, query: str, *values: Any) -> int:
        with self._clearly():
            return self._db.execute(query, values).rowcount

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._clearly():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                self._db.execute("ROLLBACK")
                raise

    @contextmanager
    def _clearly(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise LakeError(
                f"The outbox {self._path} cannot be used: {error}. Free space or mend permissions, then call again."
            ) from error
