"""A report as a table with a line."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, Final

from rich import box
from rich.table import Table as Grid
from rich.text import Text

from analytics.answers import Answer
from analytics.catalog import REPORTS
from analytics.comparison import Comparison, change
from analytics.output import ABSENT, figure_text, key_text
from cli.parts.console_table import stdout_console
from nextclick.command import print_json

_BARS: Final = "▁▂▃▄▅▆▇█"


def show_reports(as_json: bool) -> None:
    """The reports that there are."""
    if as_json:
        print_json({report.name: {"answers": report.doc, "by": report.groups} for report in REPORTS})
        return
    grid = Grid("report", "what it answers", "by", box=box.SIMPLE_HEAD)
    for report in REPORTS:
        grid.add_row(report.name, report.doc, ", ".join(report.groups))
    stdout_console().print(grid)


def show(answer: Answer, comparison: Comparison | None, most: int) -> None:
    """What the report answers, a line of its first figure by day, its rows, and what has to be known of them."""
    console, question = stdout_console(), answer.question
    range_ = f" {question.first} to {question.last}" if question.report.is_of_days else ""
    before = comparison and comparison.before.question
    beside = f", beside {before.first} to {before.last}" if before else ""
    console.print(Text(f"{question.report.doc}{range_}{beside}", style="bold"))
    if not answer.rows:
        console.print(f"No rows. The tables are {', '.join(_versions(answer))}; `nextclick run` fills them.")
        if question.report.is_of_days and not answer.unfinished:
            console.print("Today, which is unfinished, is left out: --to today has it.")
        if question.report.expects:
            console.print(f"It expects: {question.report.expects}")
        return
    if sum(figures[0] is not None for figures in answer.days.values()) > 1:
        console.print(Text(f"{question.metrics[0].name} {line(_by_day(answer))}"))
    across = question.report.across
    if across in question.by:
        _show_across(console, answer, across, most)
    else:
        _show_rows(console, answer, comparison, most)
    for note in _notes(answer, most):
        console.print(Text(note, style="dim"))


def _by_day(answer: Answer) -> list[Any]:
    """The first figure of each day, or week, from the first to the last that there is."""
    days = list(answer.days)
    step = min(later - day for day, later in pairwise(days))
    return [answer.days.get(days[0] + n * step, (None,))[0] for n in range((days[-1] - days[0]) // step + 1)]


def line(values: Sequence[Any]) -> str:
    """Values as bars of a height, the highest full; a gap where there is none.

    >>> line([0, 1, None, 4])
    '▁▃ █'
    """
    top = max((float(value) for value in values if value is not None), default=0) or 1
    return "".join(
        " " if value is None else _BARS[round(max(float(value), 0) / top * (len(_BARS) - 1))] for value in values
    )


def _show_rows(console: Any, answer: Answer, comparison: Comparison | None, most: int) -> None:
    question, groups = answer.question, len(answer.question.by)
    first = answer.rows[:most]
    befores = comparison.figures(first) if comparison else [None] * len(first)
    rows = [_cells(answer, row[groups:], before) for row, before in zip(first, befores, strict=True)]
    whole = _cells(answer, answer.whole, comparison.before.whole if comparison else None)
    keys = [_keys(answer, row) for row in first]
    names = [metric.name for metric in question.metrics]
    shown = _fitting(console.width, question.by, keys, names, [*rows, whole])
    grid = Grid(*question.by, box=box.SIMPLE_HEAD, show_footer=True)
    for name, column in zip(question.by, grid.columns, strict=True):
        column.footer = ("last full day" if question.report.last_day else "all") if name == question.by[0] else ""
    for number in range(shown):
        grid.add_column(names[number], footer=whole[number], justify="right")
    for key, row in zip(keys, rows, strict=True):
        grid.add_row(*key, *row[:shown])
    console.print(grid)
    if names[shown:]:
        console.print(
            Text(f"Not shown: {', '.join(names[shown:])}; --figures chooses, --csv and --json have all.", style="dim")
        )


def _fitting(width: int, by: Sequence[str], keys: list[list[str]], names: list[str], rows: list[list[str]]) -> int:
    """How many figures a line of the terminal takes, at least one."""
    left = width - 2 - sum(max(map(len, cells)) + 3 for cells in zip(by, *keys, strict=True))
    for number, cells in enumerate(zip(names, *rows, strict=True)):
        left -= max(map(len, cells)) + 3
        if left < 0:
            return max(number, 1)
    return len(names)


def _show_across(console: Any, answer: Answer, across: str, most: int) -> None:
    """A row a group, the values of `across` side by side as far as the line goes; the figure is the last."""
    by, metrics = answer.question.by, answer.question.metrics
    at, size, rest = by.index(across), len(by), [name for name in by if name != across]
    table: dict[tuple[Any, ...], dict[Any, str]] = {}
    for row in answer.rows:
        table.setdefault((*row[:at], *row[at + 1 : size]), {})[row[at]] = figure_text(metrics[-1], row[-1])
    heads = sorted({row[at] for row in answer.rows})[: (console.width - 14 * len(rest)) // 9]
    grid = Grid(*rest, box=box.SIMPLE_HEAD)
    for head in heads:
        grid.add_column(f"{across} {head}" if head == heads[0] else str(head), justify="right")
    for key, cells in list(table.items())[:most]:
        grid.add_row(
            *(key_text(answer, name, value) for name, value in zip(rest, key, strict=True)),
            *(cells.get(head, "") for head in heads),
        )
    console.print(grid)
    console.print(Text(f"{metrics[-1].name}: {metrics[-1].meaning}", style="dim"))


def _keys(answer: Answer, row: Sequence[Any]) -> list[str]:
    return [key_text(answer, name, value) for name, value in zip(answer.question.by, row, strict=False)]


def _cells(answer: Answer, row: Sequence[Any], before: Sequence[Any] | None) -> list[str]:
    cells = [figure_text(metric, value) for metric, value in zip(answer.question.metrics, row, strict=True)]
    if before is None:
        return cells
    changes = [change(now, then) for now, then in zip(row, before, strict=True)]
    return [cell if by is None else f"{cell} {by:+.0%}" for cell, by in zip(cells, changes, strict=True)]


def _notes(answer: Answer, most: int) -> Iterator[str]:
    question = answer.question
    yield from answer.notes
    if len(answer.rows) > most:
        yield f"{len(answer.rows) - most:,} more rows: --rows, --csv or --json."
    if answer.unfinished:
        yield f"{answer.unfinished} is not over: its figures will grow."
    counted = [metric.name for metric in question.metrics if metric.sql.startswith("count(DISTINCT")]
    if counted:
        yield f"{', '.join(counted)}: each counted once in a row and once in the whole, so rows do not sum to it."
    absent = [metric for at, metric in enumerate(question.metrics, len(question.by)) if answer.rows.lacks(at)]
    guarded = sorted({name for metric in absent for name in metric.apart} - {*question.by})
    if guarded:
        yield f"{ABSENT} where several values of {', '.join(guarded)} meet: they are never put together; --by {guarded[0]} parts them."


def _versions(answer: Answer) -> Iterator[str]:
    for name, version in answer.versions.items():
        yield f"{name} (never written)" if version is None else f"{name} (version {version})"
