"""What stands in gold.anomalies and gold.suspects, and what becomes of it when it is looked at anew.

The newest days of a site are looked at each time, all of its days the first time. What is older stays as it was decided then, so that no
judgement hangs on where the window happens to begin, and a day of gold is not made twice of two opinions.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Final

import msgspec

from ml.anomalies.detect import CLOSED, Row
from ml.anomalies.window import Span
from nextclick.contracts.gold_anomalies import ANOMALIES, OPEN, SUSPECTS
from nextclick.contracts.table import Table
from nextclick.lake import delta
from nextclick.lake.paths import Lake

LOOKED_AT: Final = "nextclick.looked_at"
"""In a commit's information: the newest day of each site that was looked at, as JSON."""
AGAIN: Final = timedelta(days=2)
"""Days before the newest one that are looked at again: late events belong to them."""
WITHDRAWN: Final = "withdrawn"


def since(lake: Lake, spans: Mapping[str, Span]) -> dict[str, datetime]:
    """From when on each site is looked at."""
    last = _last(lake)
    return {
        site: max(span.start, _midnight(last[site]) - AGAIN) if site in last else span.start
        for site, span in spans.items()
    }


def looked_at(lake: Lake, spans: Mapping[str, Span]) -> dict[str, str] | None:
    """As `facts` of a commit; None where the newest one says so already."""
    last = _last(lake)
    newest = last | {site: span.newest_day.date() for site, span in spans.items()}
    return {LOOKED_AT: msgspec.json.encode(newest).decode()} if newest != last else None


def _last(lake: Lake) -> dict[str, date]:
    said = delta.newest_fact(lake, ANOMALIES.name, LOOKED_AT)
    return msgspec.json.decode(said, type=dict[str, date]) if said else {}


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def anomalies(
    present: Sequence[Row], seen: Sequence[Row], begin: Mapping[str, datetime], now: datetime, version: int
) -> list[Row]:
    """The rows of gold.anomalies: what ends after its site's `begin` as it is seen now, with when it was first seen; what was there.

    What is no longer seen is withdrawn.
    """
    first = min(begin.values(), default=now)

    def is_due(row: Row) -> bool:
        return bool(row["step_end"] > begin.get(row["site"], first))

    before = {_key(row): row for row in present}
    rows = []
    for row in filter(is_due, seen):
        old = before.pop(_key(row), None)
        rows.append(_stamped(row, old, version) | {"first_seen": old["first_seen"] if old else now})
    for old in before.values():
        state = WITHDRAWN if is_due(old) else CLOSED if old["state"] == OPEN else old["state"]
        rows.append(old | {"state": state})
    return sorted(rows, key=lambda row: (row["step_start"], *_key(row)))


def suspects(present: Sequence[Row], seen: Sequence[Row], begin: Mapping[str, datetime], version: int) -> list[Row]:
    """The rows of gold.suspects of days from the earliest `begin` on: as they are seen now, or, before the `begin` of their site, as
    they were.
    """

    def is_due(row: Row) -> bool:
        return row["site"] in begin and bool(row["date"] >= begin[row["site"]].date())

    before = {_key_of_suspect(row): row for row in present}
    due = [_stamped(row, before.get(_key_of_suspect(row)), version) for row in filter(is_due, seen)]
    return sorted([*due, *(row for row in present if not is_due(row))], key=_key_of_suspect)


def changed(table: Table, before: Sequence[Row], after: Sequence[Row]) -> list[Row]:
    """Rows of `after` that were not there, or were other ones."""
    there = {tuple(row[name] for name in table.key): row for row in before}
    return [row for row in after if there.get(tuple(row[name] for name in table.key)) != row]


def _stamped(row: Row, old: Row | None, version: int) -> Row:
    """With the version of the events in which it was last seen otherwise."""
    same = old is not None and all(old[name] == value for name, value in row.items())
    return row | {"source_version": old["source_version"] if old and same else version}


def _key(row: Row) -> tuple[object, ...]:
    return tuple(row[name] for name in ANOMALIES.key)


def _key_of_suspect(row: Row) -> tuple[object, ...]:
    return tuple(row[name] for name in SUSPECTS.key)
