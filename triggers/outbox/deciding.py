"""Decisions that are made together, in one transaction of the outbox."""

import sqlite3
from datetime import datetime, timedelta
from typing import Any

from triggers.decisions import COUNTED, Earlier
from triggers.outbox.schema import COLUMNS, TriggerDecision, ms


class Deciding:
    """A transaction of decisions: what was decided before, and what is decided now."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def is_new(self, id: str) -> bool:
        return self._db.execute("SELECT 1 FROM decisions WHERE id = ?", (id,)).fetchone() is None

    def earlier(self, trigger: str, site: str, who: tuple[str, str | None], now: datetime, days: float) -> Earlier:
        """Counted decisions about a person, or about the device that the person has now, before `now`."""
        counted = f"site = ? AND (person_id = ? OR visitor_id = ?) AND outcome IN {tuple(map(str, COUNTED))} AND decided_at > ?"
        since, day = (ms(now - timedelta(days=each)) for each in (days, 1))
        of_trigger = self._count(f"{counted} AND trigger = ?", site, *who, since, trigger)
        return Earlier(of_trigger, self._count(counted, site, *who, day))

    def add(self, decision: TriggerDecision) -> None:
        marks = ", ".join("?" * len(decision))
        self._db.execute(f"INSERT INTO decisions ({COLUMNS}) VALUES ({marks})", decision)

    def _count(self, where: str, *values: Any) -> int:
        return int(self._db.execute(f"SELECT count(*) FROM decisions WHERE {where}", values).fetchone()[0])
