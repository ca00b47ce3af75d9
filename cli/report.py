"""`nextclick report`: traffic, people, shop and campaigns, from gold."""

import sys
from dataclasses import replace

import click

from nextclick.command import common_options, csv_option, json_option, print_json
from nextclick.settings import Settings


@click.command("report")
@click.argument("name", required=False)
@click.option("--from", "first", metavar="DAY", help="First day: 2026-01-31, yesterday, 30d (default: 28 days).")
@click.option("--to", "last", metavar="DAY", help="Last day, included (default: the last full day that there is).")
@click.option("--by", metavar="NAME,…", help="What the rows are of, such as week,channel.")
@click.option(
    "--where", multiple=True, metavar="NAME=VALUE,…", help="Only those, such as channel=email or country!=AT."
)
@click.option("--compare", type=click.Choice(["previous", "weekday", "year"]), help="Beside an earlier range.")
@click.option("--figures", metavar="NAME,…", help="Only these figures.")
@click.option(
    "--unit", type=click.Choice(["visitor", "person"]), default="visitor", show_default=True, help="Whom to count."
)
@click.option(
    "--audience", metavar="NAME", help="Only who belongs to it, as the night last saw (`nextclick audience`)."
)
@click.option(
    "--rows", "most", type=click.IntRange(1), default=40, show_default=True, help="Rows of the table at most."
)
@csv_option
@json_option
@common_options
def report(
    settings: Settings,
    name: str | None,
    first: str | None,
    last: str | None,
    by: str | None,
    where: tuple[str, ...],
    compare: str | None,
    figures: str | None,
    unit: str,
    audience: str | None,
    most: int,
    as_csv: bool,
    as_json: bool,
) -> None:
    """Figures of the lake by day, channel, page, person, …; without a NAME, the reports that there are.

    \b
    nextclick report
    nextclick report traffic --by channel --compare previous
    nextclick report traffic --from 2026-01-01 --to 2026-01-31 --by week,device --where country=AT,DE
    nextclick report active --unit person --json | jq .total.mau
    nextclick report retention_week --from 90d
    nextclick report revenue --by channel,currency --csv > revenue.csv
    nextclick report traffic --audience lookers --by channel

    docs/analytics.md says what each figure means. What does not add up, such as visitors, is counted anew for
    the whole; today is unfinished, and left out unless --to names it. --compare: `previous` is the range before,
    `weekday` and `year` the nearest earlier one, or that of a year before, which begins on the same weekday.
    """
    from analytics.answers import Reports
    from analytics.catalog import report as named
    from analytics.comparison import compare as beside
    from analytics.output import as_json as json_of
    from analytics.output import write_csv
    from analytics.people.by_audience import known_audience
    from analytics.question import Compared
    from cli.parts import report_output
    from cli.parts.without_pandas import leave_pandas_out
    from nextclick.lake.memory import TableMemory

    if name is None:
        report_output.show_reports(as_json)
        return
    leave_pandas_out()
    reports = Reports(
        TableMemory(settings.lake, most_bytes=0),
        settings.analytics,
        leave_out_suspects=settings.anomalies.leave_out_suspects,
    )  # nothing is asked a third time
    whom = known_audience(settings, audience or "")
    question = reports.question(named(name), first, last, _names(by), where, _names(figures), unit == "person", whom)
    answer = reports.answer(replace(question, rows_alone=as_csv and not as_json))
    comparison = beside(reports, answer, Compared(compare)) if compare else None
    if as_json:
        print_json(json_of(answer, comparison))
    elif as_csv:
        write_csv(answer, comparison, sys.stdout)
    else:
        report_output.show(answer, comparison, most)


def _names(text: str | None) -> tuple[str, ...]:
    return tuple(name.strip() for name in (text or "").split(",") if name.strip())
