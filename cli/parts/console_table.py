"""Rows of text for a terminal."""

import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

from nextclick.visible import visible

if TYPE_CHECKING:
    from rich.console import Console


FILE_WIDTH: Final = 160
"""Columns of text where no terminal says how wide it is."""


def stdout_console(**options: Any) -> "Console":
    """rich's console on stdout, FILE_WIDTH wide where that is no terminal."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else FILE_WIDTH, highlight=False, **options)


def show(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A table on stdout; what a row says is text, never markup, and none of it steers the terminal."""
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    table = Table(*columns, box=box.SIMPLE_HEAD)
    for row in rows:
        table.add_row(*(escape(visible(cell)) for cell in row))
    stdout_console().print(table)
