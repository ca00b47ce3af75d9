"""A copy in a PostgreSQL: schemas gold and report, brought to what the lake holds in one transaction.

Only what changed since the last time is written: tables of another Delta version, and of them the days that changed.
Nothing is dropped, replaced or truncated, so readers never wait and what others built upon the tables stays. Whoever reads sees one
state of all tables: the former until the commit, then the new one; `report.shared` says which.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs, urlsplit

import msgspec

from analytics.copies import postgresql_tables
from analytics.copies.changes import Changes
from analytics.copies.contents import SHARED, Copied, Origin, PinnedLake, Written, pinned
from nextclick.errors import NextclickError, UsageError
from nextclick.extras import importing
from nextclick.lake.duck import text
from nextclick.settings import Settings

if TYPE_CHECKING:
    from adbc_driver_postgresql.dbapi import Cursor

SCHEMES: Final = ("postgresql", "postgres")
_LOCK: Final = int.from_bytes(b"nextclic")
"""Number of the advisory lock of who shares."""


def share(
    settings: Settings, address: str, patterns: Sequence[str], progress: Callable[[int, int], None]
) -> list[Written]:
    """Bring the tables that are like the patterns to what the lake holds; what was written, without those that had not changed.

    UsageError for an address with a password, NextclickError where the server cannot be reached or refuses.
    """
    _refuse_password(address)
    with _transaction(address) as cursor, pinned(settings) as lake:  # so that of two the later one has the newer lake
        chosen, former = lake.like(patterns), _former(cursor)
        changes, origins, written = Changes(lake), dict[str, Origin](), list[Written]()
        for number, table in enumerate(chosen):
            progress(number, len(chosen))
            origins[table.name], one = _bring(cursor, lake, changes, table, former.get(table.name))
            written += [one] if one else []
        _say(cursor, lake, chosen, origins)
    progress(len(chosen), len(chosen))
    return written


def _refuse_password(address: str) -> None:
    parts = urlsplit(address)
    if parts.password is not None or {"password", "sslpassword"} & parse_qs(parts.query).keys():
        raise UsageError(
            "The address holds a password, and everybody on this machine can read the words of a call. Leave it out: it is "
            "taken from ~/.pgpass (mode 0600) or from the variable PGPASSWORD, as PostgreSQL's own programs do."
        )


@contextmanager
def _transaction(address: str) -> Iterator["Cursor"]:
    """A cursor whose statements are all done at the end, or none of them."""
    with importing("adbc-driver-postgresql", "postgresql", "A copy goes to PostgreSQL by its ADBC driver"):
        from adbc_driver_postgresql import dbapi
    try:
        with dbapi.connect(address) as connection, connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '30s'")
            cursor.execute(f"SELECT pg_try_advisory_xact_lock({_LOCK})")
            if cursor.fetchall() != [(True,)]:
                raise NextclickError("Somebody else shares into this database: wait for it to end, then call again.")
            yield cursor
            connection.commit()
    except dbapi.Error as error:
        raise NextclickError(
            f"PostgreSQL refuses: {str(error).strip()}\nNothing was changed there. docs/bi.md says which rights the user needs, "
            "and where the password comes from."
        ) from error


def _former(cursor: "Cursor") -> dict[str, Origin]:
    """What the tables are made of that were shared before, and are there still."""
    postgresql_tables.create_schemas(cursor)
    present = postgresql_tables.present(cursor)
    if SHARED.name not in present:
        postgresql_tables.create(cursor, SHARED.name, SHARED.doc, SHARED.columns)
    cursor.execute(f"SELECT table_name, origin FROM {SHARED.name}")
    return {name: msgspec.json.decode(text, type=Origin) for name, text in cursor.fetchall() if name in present}


def _bring(
    cursor: "Cursor", lake: PinnedLake, changes: Changes, table: Copied, last: Origin | None
) -> tuple[Origin, Written | None]:
    """Write what changed of one table; what it is made of then, and what was written: None where it is as it was."""
    origin = lake.origin(table)
    if last and (last.form, last.tables) == (origin.form, origin.tables):
        return last, None
    if last:
        postgresql_tables.adapt(cursor, table.name, table.columns)
    else:
        postgresql_tables.create(cursor, table.name, table.doc, table.columns)
    rows, days, parts = changes.since(table, last)
    condition = table.where(days)
    if last:
        cursor.execute(f"DELETE FROM {table.name} WHERE {condition}")
    columns = ", ".join(map(postgresql_tables.value, table.columns))
    answer = lake.database.sql(f"SELECT {columns} FROM ({rows}) WHERE {condition}")
    count = postgresql_tables.append(cursor, table.name, answer.to_arrow_reader())
    if not last and table.day:
        postgresql_tables.index(cursor, table.name, table.day)
    written = Written(table.name, lake.version(table), count, None if days is None else len(days))
    return msgspec.structs.replace(origin, parts=parts), written


def _say(cursor: "Cursor", lake: PinnedLake, chosen: Sequence[Copied], origins: dict[str, Origin]) -> None:
    import pyarrow as pa

    from nextclick.contracts import arrow

    names = ", ".join(text(table.name) for table in chosen)
    cursor.execute(f"DELETE FROM {SHARED.name} WHERE table_name IN ({names})")
    rows = [lake.shared(table, origins[table.name]) for table in chosen]
    postgresql_tables.append(cursor, SHARED.name, pa.Table.from_pylist(rows, arrow.schema(SHARED)))
