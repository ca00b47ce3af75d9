"""`nextclick sql`: a query of the lake's tables."""

from typing import Any

import click
from rich.table import Table as Grid
from rich.text import Text

from cli.parts.console_table import stdout_console
from nextclick.command import common_options, json_option, print_json
from nextclick.lake.sql import ask, plain
from nextclick.settings import Settings
from nextclick.visible import visible


@click.command("sql")
@click.argument("query")
@json_option
@common_options
def sql(settings: Settings, query: str, as_json: bool) -> None:
    """Ask the lake's tables with DuckDB SQL, by their catalog names; times are UTC.

    \b
    nextclick sql "select count(*) as n from silver.sessions" --json
    nextclick sql "select reason, count(*) from silver.quarantine group by all"
    nextclick sql "describe gold.interactions"
    nextclick sql "select date, sum(visits) from report.traffic group by all"

    report.NAME is what `nextclick report NAME` counts, by all that it may be grouped by.
    Read-only: no file and no network can be reached. With --json: an array of row objects;
    decimals and times are strings, durations seconds, maps objects, blobs base64.
    """
    from analytics import views

    columns, rows = ask(settings.lake, query, views.of_lake(settings.analytics))
    if as_json:
        print_json([dict(zip(columns, map(plain, row), strict=True)) for row in rows])
        return
    _show([visible(name) for name in columns], [[_text(value) for value in row] for row in rows])


def _text(value: Any) -> str:
    """A value for a terminal; its lines stay lines."""
    return "" if value is None else visible(value if isinstance(value, float) else plain(value), keep="\n")


def _show(columns: list[str], rows: list[list[str]]) -> None:
    """A grid where it fits; else one line a value."""
    console = stdout_console(markup=False)
    widths = [max(map(len, cells)) + 3 for cells in zip(columns, *rows, strict=True)]
    if sum(widths) < console.width:
        grid = Grid(*columns)
        for row in rows:
            grid.add_row(*map(Text, row))
        console.print(grid)
        return
    margin = max(map(len, columns))
    for row in rows:
        console.rule()
        for name, value in zip(columns, row, strict=True):
            console.print(f"{name:>{margin}}  {value}", soft_wrap=True)
