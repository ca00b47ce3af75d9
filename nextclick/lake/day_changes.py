"""Which days of a table by days have changed since another was made of it, without a JVM: those with other files than then."""

import re
from contextlib import suppress
from datetime import date
from typing import TYPE_CHECKING, Final

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
    if last and last == DayCursor(str(source.metadata().id), last.version, made_with):
        with suppress(LakeError):  # its log does not reach back
            then = delta.open_table(lake, name, last.version)
            return days_of(name, duck.files(source) ^ (duck.files(then) if then else frozenset()))
    return None


def days_of(name: str, files: frozenset[str]) -> set[date]:
    """The days of data files of table `name`, by their folders."""
    days = [_DAY.search(path) for path in files]
    if None in days:
        raise LakeError(f"{name} does not lie in folders of days. Call `nextclick rebuild gold`: nothing is lost.")
    return {date.fromisoformat(day[1]) for day in days if day}
