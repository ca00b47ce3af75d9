"""docs/analytics.md from the definitions and the reports: `python -m analytics.reference` writes it, a test compares it."""

import textwrap
from collections.abc import Iterator

from analytics.catalog import REPORTS
from analytics.report import Report
from nextclick.definitions.words import WORDS
from nextclick.settings import CHECKOUT

PAGE = CHECKOUT / "docs" / "analytics.md"

_HEAD = """\
# Reports, and what their figures mean

Generated from `nextclick/definitions/` and `analytics/reports/` by `make docs`; change it there.

`nextclick report` lists the reports, `nextclick report NAME` answers one, by what `--by` names, of the days from `--from` to `--to` (the
last 28 full days that there are). `--where` leaves out rows, `--compare` puts an earlier range beside, `--unit person` counts persons in
place of visitors, `--audience NAME` those alone who belong to an [audience](audiences.md), `--csv` and `--json` are for scripts. A figure
that is absent is absent, never 0: the terminal shows –, JSON `null`, CSV nothing. In SQL they are views, `report.NAME`: counts by all that
a report may be grouped by (`nextclick sql`).

Active, retention, lifecycle and frequency are counted from who came on which day, with a number in place of each visitor's id; it lies in
files of the machine (`_state/visitor_days`, some 14 bytes a row). Newcomers asks who came first when (`_state/first_days`). Reports bring
both to the newest version of a table by the days that changed, and make them anew where they are gone. Where they cannot be kept, and for
persons and audiences, the table itself is counted.

Figures are counted over a report's rows after these were filtered and grouped. So a ratio is that of the sums, and what does not add up,
such as visitors, is counted once in each row and once in the whole. Where rows meet that are never put together, such as two currencies,
there is no figure.
"""


def render() -> str:
    """The page as Markdown."""
    return "\n".join([_HEAD, *_words(), *(line for report in REPORTS for line in _report(report))]) + "\n"


def _words() -> Iterator[str]:
    yield from ("## Words", "", "| word | what it means |", "| --- | --- |")
    yield from (f"| {word.name} | {word.meaning} |" for word in WORDS)


def _report(report: Report) -> Iterator[str]:
    yield from ("", f"## {report.name}", "", report.doc, "")
    yield f"- from {', '.join(f'`{name}`' for name in report.reads)}"
    by = f"- by {', '.join(report.groups)}; if nobody says, by {', '.join(report.by)}"
    yield from textwrap.wrap(by, width=138, subsequent_indent="  ")
    if report.expects:
        yield from textwrap.wrap(f"- expects: {report.expects}", width=138, subsequent_indent="  ")
    if report.last_day:
        yield "- of a range: the figures of its last full day"
    yield from ("", "| figure | meaning | unit | over rows |", "| --- | --- | --- | --- |")
    yield from (f"| {each.name} | {each.meaning} | {each.unit} | {each.note} |" for each in report.metrics)


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
