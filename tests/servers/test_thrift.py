"""`nextclick bi`: Spark's Thrift server, asked by Hive's own JDBC driver as DBeaver and its like ask it."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from nextclick.contracts import catalog
from nextclick.settings import CHECKOUT, Settings, environment, load
from tests.conftest import LAKE
from tests.servers import jdbc
from tests.table_rows import write

pytestmark = [pytest.mark.servers, pytest.mark.spark, pytest.mark.slow]

PASSWORD = "long enough to be one"
VISIT = {"site": "shop", "visitor_id": "ann", "channel": "email", "revenue": [("EUR", 5)]}


@dataclass(frozen=True)
class Served:
    """A server over a lake, and a JVM with Hive's driver."""

    settings: Settings
    process: subprocess.Popen[str]
    announced: dict[str, Any]
    java: jdbc.Jdbc

    def asked(self, query: str) -> list[tuple[str | None, ...]]:
        """The first two columns of an answer."""
        with self.java.connected(self.announced["jdbc"], "nextclick", PASSWORD) as connection:
            results = connection.createStatement().executeQuery(query)
            width = min(2, results.getMetaData().getColumnCount())
            return jdbc.rows(results, *range(1, width + 1))


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    settings = load(tmp_path_factory.mktemp("bi") / LAKE, profile="test", environ={})
    settings.lake.prepare()
    write(settings.lake, "gold.visits", [VISIT | {"date": date(2026, 1, 1), "session_id": "1"}])
    write(settings.lake, "silver.quarantine", [{"reason": "no_visitor"}])
    command = [sys.executable, "-c", "from cli.main import main; main()", "bi", "--port", "0", "--json"]
    variables = environment(settings, NEXTCLICK_BI__PASSWORD=PASSWORD, PYTHONPATH=str(CHECKOUT))
    process = subprocess.Popen(command, env=variables, stdout=subprocess.PIPE, text=True, cwd=settings.lake.root)
    try:
        assert process.stdout
        announced = json.loads(process.stdout.readline())
        with jdbc.jvm([jdbc.SPARK_JARS / "*"]) as java:
            yield Served(settings, process, announced, java)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
        assert not [*Path(settings.lake.root).glob("*derby*"), *Path(settings.lake.root).glob("metastore*")]
    finally:
        process.kill()


@pytest.fixture(scope="module")
def hostile(served: Served) -> Iterator[Any]:
    """A java.sql.Statement of a connection whose address sets properties."""
    properties = "?spark.sql.variable.substitute=true;spark.sql.session.timeZone=Asia/Tokyo"
    with served.java.connected(served.announced["jdbc"] + properties, "nextclick", PASSWORD) as connection:
        yield connection.createStatement()


def test_who_has_another_password_is_not_let_in(served: Served) -> None:
    assert served.announced["password"] is None
    with pytest.raises(Exception, match=r"Error validating the login|Peer indicated failure"):  # noqa: SIM117
        with served.java.connected(served.announced["jdbc"], "nextclick", PASSWORD + "!"):
            pass


def test_figures_are_those_of_the_lake_as_it_is_now(served: Served) -> None:
    assert served.asked("SELECT date, visits FROM traffic ORDER BY date") == [("2026-01-01", "1")]
    assert served.asked("SELECT reason, rejects FROM report.rejects") == [("no_visitor", "1")]
    write(served.settings.lake, "gold.visits", [VISIT | {"date": date(2026, 1, 2), "session_id": "2"}])
    assert served.asked("SELECT date, revenue FROM report.revenue ORDER BY date") == [
        ("2026-01-01", "5.0000"),
        ("2026-01-02", "5.0000"),
    ]
    assert served.asked("SELECT count(*) FROM gold.page_daily") == [("0",)]


def test_tools_list_every_table_and_column_with_its_meaning(served: Served) -> None:
    with served.java.connected(served.announced["jdbc"], "nextclick", PASSWORD) as connection:
        about = connection.getMetaData()
        schemas = {name for (name,) in jdbc.rows(about.getSchemas(), "TABLE_SCHEM")}
        assert {"gold", "report"} <= schemas
        assert "silver" not in schemas
        tables = jdbc.rows(about.getTables(None, "gold", "%", None), "TABLE_NAME", "TABLE_TYPE", "REMARKS")
        gold = {table.name.removeprefix("gold."): table for table in catalog.TABLES if table.layer == "gold"}
        assert sorted(tables) == sorted((name, "VIEW", table.doc) for name, table in gold.items())
        for name, table in gold.items():
            columns = jdbc.rows(about.getColumns(None, "gold", name, "%"), "COLUMN_NAME", "REMARKS")
            assert columns == [(column.name, column.doc) for column in table.columns]
        columns = jdbc.rows(about.getColumns(None, "report", "traffic", "visits"), "TYPE_NAME", "REMARKS")
        assert columns == [("BIGINT", "Visits that started in the range. Adds up.")]


@pytest.mark.parametrize(
    "query",
    [
        "SHOW TABLES IN report",
        "DESCRIBE report.traffic",
        "EXPLAIN SELECT 1",
        "USE gold",
        "WITH a AS (SELECT 1 AS x) SELECT x FROM a WHERE x IN (SELECT 1) UNION ALL SELECT * FROM VALUES (2)",
        "SELECT channel, count(*) OVER (PARTITION BY date) FROM report.traffic LATERAL VIEW explode(array(1)) AS n LIMIT 1",
    ],
)
def test_queries_and_questions_about_tables_are_answered(served: Served, query: str) -> None:
    assert served.asked(query) is not None


SILVER = "{lake}/silver/quarantine"


@pytest.mark.parametrize(
    "statement",
    [
        "DROP VIEW gold.visits",
        "DELETE FROM gold.visits",
        "INSERT INTO gold.visits SELECT * FROM gold.visits",
        "CREATE TEMPORARY VIEW mine USING text OPTIONS (path '/etc/hostname')",
        "CREATE TABLE gold.mine (a INT)",
        "CACHE TABLE gold.visits",
        "SET spark.sql.runSQLOnFiles = true",
        "ADD JAR '/tmp/mine.jar'",
        "EXECUTE IMMEDIATE 'DROP VIEW gold.visits'",
        "BEGIN DROP VIEW gold.visits; END",
        "SELECT TRANSFORM (a) USING 'cat' AS b FROM VALUES (1) AS t (a)",
        "SELECT 1 WHERE EXISTS (SELECT TRANSFORM (a) USING 'cat' AS b FROM VALUES (1) AS t (a))",
        "EXPLAIN DROP VIEW gold.visits",
        "SELECT reflect('java.lang.System', 'getProperty', 'user.home')",
        "SELECT java_method('java.lang.System', 'getProperty', 'user.home')",
        "SELECT try_reflect('java.lang.System', 'getProperty', 'user.home')",
        "SELECT * FROM text.`/etc/hostname`",
        f"SELECT * FROM delta.`{SILVER}`",
        f"SELECT * FROM spark_catalog.delta.`{SILVER}`",
        "SELECT * FROM IDENTIFIER('text.`/etc/hostname`')",
        f"SELECT * FROM table_changes_by_path('{SILVER}', 0)",
        "SELECT * FROM silver.quarantine",
    ],
)
def test_what_is_no_query_of_what_is_shown_is_refused(hostile: Any, served: Served, statement: str) -> None:
    with pytest.raises(Exception, match="HiveSQLException"):
        hostile.execute(statement.replace("{lake}", str(served.settings.lake.root)))
    assert jdbc.rows(hostile.executeQuery("SELECT count(*) > 0 FROM gold.visits"), 1) == [("true",)]


def test_the_address_of_a_connection_sets_nothing(hostile: Any) -> None:
    """Else a text could stand for a variable of the process, and a catalog for another database."""
    results = hostile.executeQuery("SELECT current_timezone(), '${env:NEXTCLICK_BI__PASSWORD}'")
    assert jdbc.rows(results, 1, 2) == [("UTC", "${env:NEXTCLICK_BI__PASSWORD}")]
