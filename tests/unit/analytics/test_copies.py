"""A copy as a DuckDB file: what the lake holds, for tools that know nothing of it."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import pytest
from click.testing import CliRunner

from analytics.copies import contents, duckdb_file
from analytics.copies.contents import pinned
from cli.share import share
from nextclick.contracts import catalog
from nextclick.contracts.table import Layer
from nextclick.errors import LakeError, UsageError
from nextclick.lake import delta
from nextclick.settings import Settings
from tests.report_rows import drawn
from tests.table_rows import arrow, write

DAYS = [date(2026, 1, day) for day in (1, 2, 3)]
VISITS = [
    {
        "date": day,
        "site": "shop",
        "session_id": f"{visitor}{day}",
        "visitor_id": visitor,
        "channel": "email",
        "revenue": revenue,
    }
    for day in DAYS
    for visitor, revenue in (("a", [("EUR", Decimal("12.3400"))]), ("b\0it's", []))
]
"""Two visits a day; one of them paid."""


def copy(settings: Settings, file: Path, *patterns: str) -> list[contents.Written]:
    return duckdb_file.write(settings, file, patterns or ("*",), lambda done, total: None)


def asked(file: Path, query: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(file, read_only=True) as database:
        return database.execute(query).fetchall()


def test_a_file_has_the_tables_of_gold_and_the_reports(settings: Settings, tmp_path: Path) -> None:
    write(settings.lake, "gold.visits", VISITS)
    file = tmp_path / "shop.duckdb"
    written = copy(settings, file)
    gold = {table.name for table in catalog.TABLES if table.layer is Layer.GOLD}
    tables = asked(file, "SELECT table_schema || '.' || table_name FROM information_schema.tables")
    assert {name for (name,) in tables} == {each.table for each in written} | {"report.shared"}
    assert gold < {each.table for each in written}
    assert ("gold.visits", 0, 6, None) in written
    assert asked(file, "SELECT visitor_id, revenue FROM gold.visits WHERE date = DATE '2026-01-02' ORDER BY ALL") == [
        ("a", {"EUR": Decimal("12.3400")}),
        ("b\0it's", {}),
    ]
    assert asked(file, "SELECT date, currency, revenue, orders FROM report.revenue ORDER BY ALL") == [
        (day, "EUR", Decimal("12.3400"), 1) for day in DAYS
    ]
    assert asked(file, "SELECT version FROM report.shared WHERE table_name = 'gold.visits'") == [(0,)]


def test_each_column_says_what_it_means(settings: Settings, tmp_path: Path) -> None:
    copy(settings, file := tmp_path / "shop.duckdb")
    silent = asked(file, "SELECT DISTINCT schema_name || '.' || table_name || '.' || column_name FROM duckdb_columns() "
                         "WHERE schema_name = 'gold' AND coalesce(comment, '') = ''")  # fmt: skip
    assert silent == []
    said = asked(
        file,
        "SELECT comment FROM duckdb_columns() WHERE table_name = 'traffic' AND column_name IN ('visits', 'channel')",
    )
    assert sorted(said) == [("Marketing channel of the first event.",), ("Visits that started in the range. Adds up.",)]


def test_no_table_of_silver_is_in_a_file_though_reports_are_made_of_some(settings: Settings, tmp_path: Path) -> None:
    write(settings.lake, "silver.quarantine", [{"reason": "no_visitor"}])
    copy(settings, file := tmp_path / "shop.duckdb")
    assert asked(file, "SELECT reason, rejects FROM report.rejects") == [("no_visitor", 1)]
    assert asked(file, "SELECT DISTINCT table_schema FROM information_schema.tables ORDER BY 1") == [
        ("gold",),
        ("report",),
    ]


def test_who_has_the_former_file_open_keeps_it(settings: Settings, tmp_path: Path) -> None:
    write(settings.lake, "gold.visits", VISITS[:2])
    copy(settings, file := tmp_path / "shop.duckdb")
    file.chmod(0o640)
    with duckdb.connect(file, read_only=True) as before:
        write(settings.lake, "gold.visits", VISITS[2:])
        copy(settings, file)
        assert before.execute("SELECT count(*) FROM gold.visits").fetchall() == [(2,)]
    assert asked(file, "SELECT count(*) FROM gold.visits") == [(6,)]
    assert (file.stat().st_mode & 0o777, [path.name for path in tmp_path.glob("*shop*")]) == (0o640, ["shop.duckdb"])


def test_a_new_file_is_its_owners_alone(settings: Settings, tmp_path: Path) -> None:
    copy(settings, file := tmp_path / "shop.duckdb", "gold.visits")
    assert file.stat().st_mode & 0o777 == 0o600


def test_patterns_choose_the_tables_and_reports_bring_what_they_need(settings: Settings, tmp_path: Path) -> None:
    write(settings.lake, "gold.visits", VISITS)
    written = copy(settings, file := tmp_path / "shop.duckdb", "report.tr*", "gold.item_*")
    assert {each.table for each in written} == {"report.traffic", "gold.item_daily", "gold.item_vectors"}
    assert asked(file, "SELECT sum(visits) FROM report.traffic") == [(6,)]
    with pytest.raises(UsageError, match=r"No table that can be shared is called 'silver\.\*'\. There are: gold\."):
        copy(settings, file, "silver.*")


def test_what_fails_leaves_the_former_file_as_it_was(settings: Settings, tmp_path: Path) -> None:
    write(settings.lake, "gold.visits", VISITS)
    copy(settings, file := tmp_path / "shop.duckdb", "gold.visits")
    former = file.read_bytes()
    table = delta.require(settings.lake, "gold.visits")
    for path in table.file_uris():
        Path(path).write_bytes(b"no Parquet")
    with pytest.raises(LakeError, match=r"^The copy cannot be made: .* `nextclick check`"):
        copy(settings, file, "gold.visits")
    assert file.read_bytes() == former
    assert not list(tmp_path.glob(".shop*"))


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("gold.duckdb", "clashes with the schemas"),
        ("nowhere/shop.duckdb", "There is no folder"),
        ("shop.csv", "is no place to share to"),
        ("mysql://shop:secret@db/bi", "mysql://… is no place to share to"),
        ("postgresql://shop:secret@db/bi", "PGPASSWORD"),
        ("postgresql://db/bi?user=shop&password=secret", "PGPASSWORD"),
    ],
)
def test_another_target_is_refused_in_words(
    target: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(share, [target, "--lake", str(tmp_path / "lake")], obj=_context())
    assert isinstance(result.exception, UsageError)
    assert message in str(result.exception)
    assert "secret" not in str(result.exception)
    assert not list(tmp_path.iterdir())


def test_a_file_of_another_kind_is_not_overwritten(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "shop.duckdb"
    file.write_text("my notes")
    with pytest.raises(UsageError, match="no DuckDB file: it is not overwritten"):
        copy(settings, file)
    assert file.read_text() == "my notes"


@pytest.mark.parametrize("seed", range(3))
def test_rows_of_a_day_follow_from_that_day_where_a_table_says_so(seed: int, settings: Settings) -> None:
    """Rows of one day alone, with who came first on it, give that day's rows: all other days of tables by days may go."""
    with pinned(settings) as lake:
        by_day = [table for table in lake.copied if table.by_day]
        names = {table.name for table in by_day}
        assert {"gold.visits", "report.traffic", "report.newcomers", "report.items", "report.search"} <= names
        assert not {"report.active", "report.lifecycle", "report.sends"} & names
        reads = {name for table in by_day for name in table.reads}
        for name in reads:
            lake.database.register("rows", arrow(name, drawn(name, seed, 60)))
            lake.database.execute(f"CREATE TABLE {name.replace('.', '_')} AS FROM rows")
            lake.show(name, f"FROM {name.replace('.', '_')}")
        firsts = {table.firsts for table in by_day if table.firsts}
        for number, query in enumerate(firsts):
            lake.database.execute(f"CREATE TABLE firsts_{number} AS FROM {query}")
        day = date(2026, 1, Random(seed).randint(1, 20))
        before = {table.name: _rows(lake.database, table, day) for table in by_day}
        for name in filter(contents.lies_by_days, reads):
            lake.database.execute(f"DELETE FROM {name.replace('.', '_')} WHERE date <> DATE '{day}'")
        for number, query in enumerate(firsts):
            by_day = [replace(table, query=table.query.replace(query, f"firsts_{number}")) for table in by_day]
        assert before == {table.name: _rows(lake.database, table, day) for table in by_day}
        assert any(before.values())


def _rows(database: duckdb.DuckDBPyConnection, table: contents.Copied, day: date) -> list[str]:
    return sorted(map(repr, database.execute(f"FROM ({table.query}) WHERE {table.where({day})}").fetchall()))


def _context() -> Any:
    from nextclick.command import CommandContext

    return CommandContext()
