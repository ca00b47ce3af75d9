"""`nextclick share postgresql://…` into a real PostgreSQL, read by what people read it with."""

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import pandas as pd
import pytest

from nextclick.contracts import catalog
from nextclick.contracts.table import Column
from nextclick.errors import NextclickError
from nextclick.lake import delta
from nextclick.settings import CHECKOUT, Settings, load
from tests.conftest import LAKE
from tests.report_rows import drawn
from tests.servers import jdbc, postgresql
from tests.table_rows import NOON, write

psycopg = pytest.importorskip("psycopg", reason="the extra `clients` is not installed: `make extras`")
pytest.importorskip("adbc_driver_postgresql", reason="the extra `postgresql` is not installed: `make extras`")

from analytics import copies  # noqa: E402
from analytics.copies.contents import Written, lies_by_days  # noqa: E402

pytestmark = [
    pytest.mark.servers,
    pytest.mark.skipif(bool(postgresql.missing()), reason=postgresql.missing()),
]

FIRST = date(2026, 1, 1)
PGJDBC = Path("/usr/share/java/postgresql.jar")


@pytest.fixture(scope="module")
def server() -> Iterator[postgresql.PostgreSQL]:
    with postgresql.running() as server:
        yield server


@pytest.fixture
def database(server: postgresql.PostgreSQL, monkeypatch: pytest.MonkeyPatch) -> postgresql.PostgreSQL:
    """The server, with nothing in it; its password is in the environment, as libpq wants it."""
    monkeypatch.setenv("PGPASSWORD", server.password)
    server.psql("DROP SCHEMA IF EXISTS gold, report CASCADE")
    return server


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load(tmp_path / LAKE, profile="test", environ={})


def share(settings: Settings, database: postgresql.PostgreSQL, *patterns: str) -> dict[str, Written]:
    written = copies.write(settings, database.address, patterns or ("*",), lambda done, total: None)
    return {each.table: each for each in written}


def visits(settings: Settings, *days: int, visitor: str = "ann", **fields: Any) -> None:
    """One more visit on each of these days of January."""
    rows = [
        {
            "date": FIRST + timedelta(day - 1),
            "started_at": NOON + timedelta(day - 1),
            "site": "shop",
            "session_id": f"{visitor}{day}",
            "visitor_id": visitor,
        }
        for day in days
    ]
    write(settings.lake, "gold.visits", [row | fields for row in rows])


def test_the_values_of_each_table_of_gold_arrive(settings: Settings, database: postgresql.PostgreSQL) -> None:
    tables = [name for name in (table.name for table in catalog.TABLES) if name.startswith("gold.")]
    rows = {name: drawn(name, seed=1) for name in tables}
    for name in tables:
        write(settings.lake, name, rows[name])
    share(settings, database)
    with psycopg.connect(database.address) as connection:
        for name in tables:
            columns = catalog.table(name).columns
            listed = ", ".join(f'"{column.name}"' for column in columns)
            seen = connection.execute(f"SELECT {listed} FROM {name}").fetchall()
            expected = [tuple(_as_shared(column, row[column.name]) for column in columns) for row in rows[name]]
            assert sorted(map(repr, map(_plain, seen))) == sorted(map(repr, expected)), name


def _as_shared(column: Column, value: Any) -> Any:
    """A value of a contract as PostgreSQL holds it: nested ones as JSON."""
    if column.type.startswith("map"):
        return {key: _decimal(each) for key, each in value}
    if isinstance(value, Decimal):
        return _decimal(value)
    return float(value) if column.type in ("double", "float") and value is not None else value


def _plain(row: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(map(_plain_value, row))


def _plain_value(value: Any) -> Any:
    match value:
        case str() if value[:1] in ("{", "["):
            return json.loads(value, parse_float=_decimal, parse_int=_decimal)
        case datetime():
            return value.astimezone(UTC)
        case Decimal():
            return _decimal(value)
    return value


def _decimal(value: Decimal | str) -> Decimal:
    """To twelve digits, as doubles have them in JSON and without."""
    return Decimal(f"{Decimal(value):.12g}").normalize()


def test_what_text_and_numbers_may_hold_at_their_ends(settings: Settings, database: postgresql.PostgreSQL) -> None:
    large = Decimal("9999999999999999999999999999999999.9999")
    hostile = "'; DROP TABLE gold.visits; --\\ \t\n\0 \U0001f600"
    visits(settings, 1, channel=hostile, events=2**63 - 1, revenue=[("EUR", large), (hostile, Decimal(f"-{large}"))])
    share(settings, database, "gold.visits")
    with psycopg.connect(database.address) as connection:
        [(channel, events, revenue)] = connection.execute("SELECT channel, events, revenue FROM gold.visits").fetchall()
    assert (channel, events) == (hostile.replace("\0", "\ufffd"), 2**63 - 1)
    assert json.loads(revenue, parse_float=Decimal) == {"EUR": large, hostile: Decimal(f"-{large}")}


def test_only_days_that_changed_are_written_and_what_did_not_is_not_touched(
    settings: Settings, database: postgresql.PostgreSQL
) -> None:
    visits(settings, 1, 2, 3)
    write(settings.lake, "gold.page_daily", [{"site": "shop", "page": "/"}])
    first = share(settings, database)
    assert first["gold.visits"] == Written("gold.visits", 0, 3)
    before = xmin(database, "gold.visits")
    visits(settings, 2, visitor="bob")
    second = share(settings, database)
    assert second["gold.visits"] == Written("gold.visits", 1, 2, days=1)
    assert second["report.traffic"] == Written("report.traffic", None, 1, days=1)
    assert "gold.page_daily" not in second
    after = xmin(database, "gold.visits")
    assert {day: before[day] == after[day] for day in after} == {
        "2026-01-01": True,
        "2026-01-02": False,
        "2026-01-03": True,
    }
    assert share(settings, database) == {}


def xmin(database: postgresql.PostgreSQL, table: str) -> dict[str, str]:
    """By which transaction the rows of each day were written."""
    lines = database.psql(f"SELECT date, string_agg(DISTINCT xmin::text, ',') FROM {table} GROUP BY 1")
    return dict(line.split("|") for line in lines.splitlines())


def test_a_day_that_is_gone_and_a_table_made_anew_leave_nothing(
    settings: Settings, database: postgresql.PostgreSQL
) -> None:
    from deltalake import DeltaTable

    visits(settings, 1, 2)
    share(settings, database)
    DeltaTable(settings.lake.table("gold.visits")).delete("date = '2026-01-01'")
    assert share(settings, database)["gold.visits"] == Written("gold.visits", 1, 0, days=1)
    assert database.psql("SELECT date FROM gold.visits") == "2026-01-02"
    assert database.psql("SELECT date, visits FROM report.traffic") == "2026-01-02|1"
    subprocess.run(["rm", "-r", settings.lake.table("gold.visits")], check=True)
    visits(settings, 5)
    assert share(settings, database)["gold.visits"] == Written("gold.visits", 0, 1)
    assert database.psql("SELECT date FROM gold.visits") == "2026-01-05"


def test_reports_that_look_back_write_the_days_whose_rows_are_others(
    settings: Settings, database: postgresql.PostgreSQL
) -> None:
    visits(settings, 3, 4)
    share(settings, database)
    visits(settings, 1)  # so the one of the 3rd is no newcomer
    days = share(settings, database)["report.newcomers"]
    assert (days.days, days.rows) == (2, 2)
    assert database.psql("SELECT date, visitor_kind FROM report.newcomers ORDER BY 1") == (
        "2026-01-01|new\n2026-01-03|returning\n2026-01-04|returning"
    )


@pytest.mark.parametrize("seed", range(2))
def test_after_any_changes_it_holds_what_a_copy_from_nothing_holds(
    seed: int, settings: Settings, database: postgresql.PostgreSQL, tmp_path: Path
) -> None:
    """The copy from nothing is a DuckDB file."""
    random, sources = (
        Random(seed),
        ("gold.visits", "gold.visitor_days", "gold.item_daily", "gold.data_quality", "silver.items"),
    )
    for step in range(4):
        for name in random.sample(sources, random.randint(1, 3)):
            written = delta.open_table(settings.lake, name)
            if written and lies_by_days(name) and random.random() < 0.4:
                written.delete(f"date = '2026-01-{random.randint(1, 20):02}'")
            else:
                write(settings.lake, name, drawn(name, seed=random.randint(0, 99), number=random.randint(1, 25)))
        share(settings, database)
        copies.write(settings, str(tmp_path / "copy.duckdb"), ["*"], lambda done, total: None)
        with psycopg.connect(database.address) as shared, duckdb.connect(tmp_path / "copy.duckdb") as copied:
            for (name,) in copied.execute("SELECT table_name FROM report.shared").fetchall():
                columns = [
                    f'"{column}"'
                    for column, kind, *_ in copied.execute(f"DESCRIBE {name}").fetchall()
                    if not kind.startswith("MAP") and not kind.endswith("]")
                ]
                query = f"SELECT {', '.join(columns)} FROM {name}"
                assert _sorted(shared.execute(query).fetchall()) == _sorted(copied.execute(query).fetchall()), (
                    step,
                    name,
                )


def _sorted(rows: list[tuple[Any, ...]]) -> list[str]:
    return sorted(
        repr([_plain_value(float(f"{value:.9g}") if isinstance(value, float) else value) for value in row])
        for row in rows
    )


def test_readers_neither_wait_nor_lose_what_they_built(settings: Settings, database: postgresql.PostgreSQL) -> None:
    visits(settings, 1)
    share(settings, database)
    database.psql("CREATE VIEW report.mine AS SELECT sum(visits) AS visits FROM report.traffic")
    with psycopg.connect(database.address) as reader:
        reader.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        assert reader.execute("SELECT count(*) FROM gold.visits").fetchall() == [(1,)]
        visits(settings, 2)
        share(settings, database)
        assert reader.execute("SELECT count(*) FROM gold.visits").fetchall() == [(1,)]
        assert reader.execute("SELECT visits FROM report.mine").fetchall() == [(1,)]
    assert database.psql("SELECT visits FROM report.mine") == "2"


def test_a_column_that_is_new_is_added_and_one_of_another_type_is_refused(
    settings: Settings, database: postgresql.PostgreSQL
) -> None:
    visits(settings, 1, views=7)
    share(settings, database, "gold.visits")
    database.psql("ALTER TABLE gold.visits DROP COLUMN views")
    visits(settings, 2, views=8)
    database.psql("UPDATE report.shared SET origin = replace(origin, 'form', 'form\":\"other\",\"was')")
    share(settings, database, "gold.visits")
    assert database.psql("SELECT date, views FROM gold.visits ORDER BY 1") == "2026-01-01|7\n2026-01-02|8"
    database.psql("ALTER TABLE gold.visits ALTER COLUMN views TYPE text")
    visits(settings, 3)
    with pytest.raises(NextclickError, match=r"Column views of gold\.visits is text in the database, and bigint now"):
        share(settings, database, "gold.visits")
    assert database.psql("SELECT count(*) FROM gold.visits") == "2"


def test_a_table_of_somebody_else_is_left_alone(settings: Settings, database: postgresql.PostgreSQL) -> None:
    database.psql("CREATE SCHEMA gold; CREATE TABLE gold.visits (mine int)")
    with pytest.raises(
        NextclickError, match=r"gold\.visits is in the database, and `nextclick share` did not write it"
    ):
        share(settings, database, "gold.visits")
    assert (
        database.psql("SELECT count(*) FROM information_schema.tables WHERE table_schema IN ('gold', 'report')") == "1"
    )


def test_the_rights_that_the_page_names_suffice(settings: Settings, database: postgresql.PostgreSQL) -> None:
    """docs/bi.md: who writes owns the database and is no superuser, who reads may do nothing else."""
    page = (CHECKOUT / "docs" / "bi.md").read_text(encoding="utf-8")
    [script] = re.findall(r"```sql\n(CREATE ROLE.*?)```", page, re.DOTALL)
    for word, other in (
        ("…", database.password),
        ("shop", "writer"),
        ("DATABASE bi ", "DATABASE own "),
        ("\\c bi", "\\c own"),
    ):
        script = script.replace(word, other)
    database.psql(script)
    visits(settings, 1)
    address = f"postgresql://writer@127.0.0.1:{database.port}/own"
    copies.write(settings, address, ["gold.visits", "report.traffic"], lambda done, total: None)
    assert database.psql("SELECT visits FROM report.traffic", "reader", "own") == "1"
    with pytest.raises(subprocess.CalledProcessError, match="exit status"):
        database.psql("DELETE FROM gold.visits", "reader", "own")


def test_two_do_not_share_at_once(settings: Settings, database: postgresql.PostgreSQL) -> None:
    from analytics.copies.postgresql import _LOCK

    with psycopg.connect(database.address) as other:
        other.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        with pytest.raises(NextclickError, match="Somebody else shares into this database"):
            share(settings, database, "gold.visits")


def test_a_wrong_password_is_named_by_nobody(
    settings: Settings, database: postgresql.PostgreSQL, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPASSWORD", "hunter2hunter2")
    with pytest.raises(NextclickError, match="password authentication failed") as failure:
        share(settings, database)
    assert "hunter2" not in f"{failure.value!r} {failure.value.__cause__!r}"


def test_killed_at_any_moment_readers_see_the_former_state_or_the_new_one(
    settings: Settings, database: postgresql.PostgreSQL
) -> None:
    """Who reads asks three tables at once: they are always of one version."""
    visits(settings, *range(1, 29))
    share(settings, database)
    query = (
        "SELECT (SELECT count(*) FROM gold.visits), (SELECT sum(visits) FROM report.traffic), (SELECT sum(visits) FROM report.newcomers), "
        "(SELECT version FROM report.shared WHERE table_name = 'gold.visits')"
    )
    seen, ended = set[str](), False

    def read() -> None:
        with psycopg.connect(database.address, autocommit=True) as reader:
            while not ended:
                seen.add(repr(reader.execute(query).fetchall()))

    with ThreadPoolExecutor(1) as reading:
        reader = reading.submit(read)
        try:
            for version, moment in enumerate(
                ("gold.visits", "report.newcomers", "said", "committed", "never"), start=1
            ):
                visits(settings, *range(1, 29), visitor=f"v{version}")
                killed = _share_and_die(settings, database, moment)
                assert killed == (moment != "never")
        finally:
            ended = True
        reader.result()
    states = {
        repr([(28 * (version + 1), Decimal(28 * (version + 1)), Decimal(28 * (version + 1)), version)])
        for version in (0, 4, 5)
    }
    assert seen == states  # the fourth was killed when it had committed


_DIES = """
import os, signal, sys
from analytics.copies import contents, postgresql
from nextclick.settings import load

lake, address, moment = sys.argv[1:]
CHOSEN = ["gold.visits", "report.traffic", "report.newcomers", "report.rejects"]
die = lambda: os.kill(os.getpid(), signal.SIGKILL)
settings, say = load(lake, profile="test", environ={}), postgresql._say
if moment == "said":
    postgresql._say = lambda *words: (say(*words), die())
with contents.pinned(settings) as pinned:
    moments = [*(table.name for table in pinned.like(CHOSEN)), "committed"]
postgresql.share(settings, address, CHOSEN, lambda done, total: moments[done - (done < total)] == moment and done and die())
"""


def _share_and_die(settings: Settings, database: postgresql.PostgreSQL, moment: str) -> bool:
    """Share in a process that is killed when it has written that table, has `said` what it wrote, or has `committed`; whether it was."""
    words = [str(settings.lake.root), database.address, moment]
    done = subprocess.run(
        [sys.executable, "-c", _DIES, *words],
        cwd=CHECKOUT,
        env={**database.environment, "PYTHONPATH": str(CHECKOUT)},
    )
    assert done.returncode in (0, -signal.SIGKILL)
    return done.returncode != 0


class TestClients:
    """What people read it with: the real ones, each asked for every table, a figure, and what the columns are."""

    FIGURE = "SELECT date, channel, visits FROM report.traffic ORDER BY 1"

    @pytest.fixture(scope="class")
    def shared(
        self, server: postgresql.PostgreSQL, tmp_path_factory: pytest.TempPathFactory
    ) -> Iterator[postgresql.PostgreSQL]:
        settings = load(tmp_path_factory.mktemp("clients") / LAKE, profile="test", environ={})
        visits(settings, 1, 2, channel="email")
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PGPASSWORD", server.password)
            server.psql("DROP SCHEMA IF EXISTS gold, report CASCADE")
            share(settings, server)
            yield server

    def tables(self, shared: postgresql.PostgreSQL) -> list[str]:
        listed = shared.psql("SELECT table_name FROM report.shared").splitlines()
        assert len(listed) > 40
        return listed

    def test_psql(self, shared: postgresql.PostgreSQL) -> None:
        assert shared.psql(self.FIGURE) == "2026-01-01|email|1\n2026-01-02|email|1"
        assert "Marketing channel of the first event." in shared.psql("\\d+ report.traffic")

    def test_sqlalchemy_and_pandas(self, shared: postgresql.PostgreSQL) -> None:
        import sqlalchemy

        engine = sqlalchemy.create_engine(shared.address.replace("postgresql:", "postgresql+psycopg:"))
        about = sqlalchemy.inspect(engine)
        listed = {f"{schema}.{name}" for schema in ("gold", "report") for name in about.get_table_names(schema)}
        assert listed == {*self.tables(shared), "report.shared"}
        columns = {column["name"]: column for column in about.get_columns("traffic", "report")}
        assert columns["visits"]["comment"] == "Visits that started in the range. Adds up."
        for name in listed:
            pd.read_sql(f"SELECT * FROM {name} LIMIT 10", engine)
        assert pd.read_sql(self.FIGURE, engine)["visits"].tolist() == [1, 1]
        engine.dispose()

    def test_polars(self, shared: postgresql.PostgreSQL) -> None:
        import polars
        from adbc_driver_postgresql import dbapi

        with dbapi.connect(shared.address) as connection:
            for name in self.tables(shared):
                polars.read_database(f"SELECT * FROM {name} LIMIT 10", connection)
        frame = polars.read_database_uri(self.FIGURE, shared.address, engine="adbc")
        assert frame.rows() == [(FIRST, "email", 1), (FIRST + timedelta(1), "email", 1)]

    def test_psqlodbc(self, shared: postgresql.PostgreSQL) -> None:
        pyodbc = pytest.importorskip(
            "pyodbc", reason="the extra `clients` is not installed: `make extras`", exc_type=ImportError
        )
        drivers = [driver for driver in pyodbc.drivers() if "PostgreSQL Unicode" in driver]
        if not drivers:
            pytest.skip("no ODBC driver of PostgreSQL: `apt-get install odbc-postgresql` brings it")
        words = (
            f"DRIVER={{{drivers[0]}}};SERVER=127.0.0.1;PORT={shared.port};DATABASE=bi;UID=shop;PWD={shared.password}"
        )
        with pyodbc.connect(words) as connection:
            cursor = connection.cursor()
            listed = {f"{row.table_schem}.{row.table_name}" for row in cursor.tables(tableType="TABLE").fetchall()}
            assert {*self.tables(shared)} <= listed
            columns = {row.column_name: row.type_name for row in cursor.columns("traffic", schema="report").fetchall()}
            assert (columns["visits"], columns["date"]) == ("int8", "date")
            for name in self.tables(shared):
                cursor.execute(f"SELECT * FROM {name} LIMIT 10").fetchall()
            assert [tuple(row) for row in cursor.execute(self.FIGURE)] == [
                (FIRST, "email", 1),
                (FIRST + timedelta(1), "email", 1),
            ]

    @pytest.mark.skipif(not PGJDBC.exists(), reason=f"no {PGJDBC}: `apt-get install libpostgresql-jdbc-java` brings it")
    def test_pgjdbc(self, shared: postgresql.PostgreSQL) -> None:
        address = f"jdbc:postgresql://127.0.0.1:{shared.port}/bi"
        with jdbc.jvm([PGJDBC]) as java, java.connected(address, "shop", shared.password) as connection:
            about = connection.getMetaData()
            listed = jdbc.rows(about.getTables(None, None, "%", None), "TABLE_SCHEM", "TABLE_NAME")
            assert {*self.tables(shared)} <= {f"{schema}.{name}" for schema, name in listed}
            columns = jdbc.rows(about.getColumns(None, "report", "traffic", "%"), "COLUMN_NAME", "TYPE_NAME", "REMARKS")
            assert ("visits", "int8", "Visits that started in the range. Adds up.") in columns
            statement = connection.createStatement()
            for name in self.tables(shared):
                statement.executeQuery(f"SELECT * FROM {name} LIMIT 10")
            read = jdbc.rows(statement.executeQuery(self.FIGURE), 1, 2, 3)
            assert read == [("2026-01-01", "email", "1"), ("2026-01-02", "email", "1")]
