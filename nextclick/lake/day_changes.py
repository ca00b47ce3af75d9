"""What of a table has changed since another was made of it, without a JVM: its files, and of a table by days the days of these."""

import re
from collections.abc import Container, Iterable
from contextlib import suppress
from datetime import date, datetime
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from nextclick.errors import LakeError
from nextclick.lake import delta, duck
from nextclick.lake.paths import Lake

if TYPE_CHECKING:
    from deltalake import DeltaTable

_DAY: Final = re.compile(r"(?:^|/)date=(\d{4}-\d\d-\d\d)/")


class DayCursor(msgspec.Struct, frozen=True):
    """In a commit's information: of which version of its source a table was made, and with which settings."""

    table_id: str
    version: int
    made_with: str = ""

    def fact(self, name: str) -> dict[str, str]:
        """As `facts` of a commit."""
        return {name: msgspec.json.encode(self).decode()}


def cursor_at(source: "DeltaTable", made_with: str = "") -> DayCursor:
    """The cursor of who has read all of this version."""
    return DayCursor(str(source.metadata().id), source.version(), made_with)


def last_cursor(lake: Lake, target: str, name: str) -> DayCursor | None:
    """The newest that a commit of `target` says under this name."""
    said = delta.newest_fact(lake, target, name)
    return msgspec.json.decode(said, type=DayCursor) if said else None


class ChangedFiles(NamedTuple):
    """Between two versions of a table; one that was written anew went and came."""

    came: frozenset[str]
    went: frozenset[str]
    then: "DeltaTable"
    """The earlier version."""

    def oldest_gone(self, column: str) -> datetime | None:
        """No file that went had less in `column`, by the bounds that the log kept of it; None where none went."""
        oldest: datetime | None = duck.least(self.then, column, self.went)
        return oldest


def changed_files(
    lake: Lake, name: str, source: "DeltaTable", last: DayCursor | None, made_with: str = ""
) -> ChangedFiles | None:
    """Between a cursor and `source`, a version of table `name`; None where that is not known: then all may be new."""
    if last and last == DayCursor(str(source.metadata().id), last.version, made_with):
        with suppress(LakeError):  # its log does not reach back
            if then := delta.open_table(lake, name, last.version):
                before, now = duck.files(then), duck.files(source)
                return ChangedFiles(now - before, before - now, then)
    return None


def changed_days(
    lake: Lake, name: str, source: "DeltaTable", target: str, cursor: str, made_with: str = ""
) -> set[date]:
    """Days of `source`, a version of table `name`, that changed since the commit of `target` that says `cursor`.

    Where that is not known, or other settings were in force: all of both tables. LakeError where they lie in no folders of days.
    """
    days = days_since(lake, name, source, last_cursor(lake, target, cursor), made_with)
    if days is not None:
        return days
    present = delta.open_table(lake, target)
    return days_of(name, duck.files(source) | (duck.files(present) if present else frozenset()))


def days_since(
    lake: Lake, name: str, source: "DeltaTable", last: DayCursor | None, made_with: str = ""
) -> set[date] | None:
    """Days of `source`, a version of table `name`, that changed since a cursor; None where that is not known."""
    changed = changed_files(lake, name, source, last, made_with)
    return None if changed is None else days_of(name, changed.came | changed.went)


def files_of(files: Iterable[str], days: Container[date | None]) -> list[str]:
    """Those of data files whose folders are of some days."""
    return [path for path in files if (day := _DAY.search(path)) and date.fromisoformat(day[1]) in days]


def days_of(name: str, files: frozenset[str]) -> set[date]:
    """The days of data files of table `name`, by their folders."""
    days = [_DAY.search(path) for path in files]
    if None in days:
        raise LakeError(f"{name} does not lie in folders of days. Call `nextclick rebuild gold`: nothing is lost.")
    return {date.fromisoformat(day[1]) for day in days if day}
