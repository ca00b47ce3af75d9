"""`nextclick funnel`: how many did one thing after the other."""

import csv
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click
import msgspec

from cli.parts.console_table import show
from cli.parts.day_options import day_options
from nextclick.command import common_options, csv_option, json_option, print_json
from nextclick.settings import Settings
from nextclick.visible import visible

if TYPE_CHECKING:
    from analytics.funnel import Funnel, FunnelStep
    from analytics.journeys.days import Days


@click.command("funnel")
@click.argument("steps", nargs=-1, required=True, metavar="STEP…")
@click.option("--within", metavar="TIME", help="Of the whole chain: a number and s, m, h, d or w.  [default: 7d]")
@click.option(
    "--unit",
    type=click.Choice(["visitor", "person", "visit"]),
    default="visitor",
    show_default=True,
    help="Who counts once.",
)
@click.option("--strict", is_flag=True, help="Nothing else that the unit did lies between two steps.")
@click.option("--by", metavar="NAME", help="Tell apart by this field or property of the first step.")
@csv_option
@json_option
@common_options
@day_options
def funnel(
    settings: Settings,
    steps: tuple[str, ...],
    within: str | None,
    unit: str,
    strict: bool,
    days: "Days",
    by: str | None,
    as_csv: bool,
    as_json: bool,
) -> None:
    """How many visitors did each STEP after the one before it, all within a time of the first.

    A STEP is a kind of event, with conditions in brackets on its fields and properties: = != < <= > >= and ~ (contains). `*` is any
    kind; what holds one of []",=!<>~ stands in double quotes. A name of [analytics.funnels] of the settings stands for its steps.

    \b
    nextclick funnel view_item add_to_cart purchase
    nextclick funnel 'view_item[category=shoes,price>=20]' purchase --within 30m --unit visit
    nextclick funnel 'page_view[page_url~"/pricing"]' 'sign_up[plan=pro]' --unit person --by utm_source
    nextclick funnel view_item view_item purchase --from 2026-06-01 --to 2026-06-30 --strict --json
    nextclick funnel checkout --csv

    Each counts once, at the deepest step that any of its chains of events reaches. Days are the site's ([analytics] timezone);
    a chain starts in them and may end behind them. The same STEP twice wants two events. Bots are left out.
    """
    from analytics.funnel import answer, question
    from analytics.journeys.units import Unit

    reached = answer(settings, question(settings, steps, within, unit=Unit(unit), strict=strict, days=days, by=by))
    if as_json:
        print_json(msgspec.to_builtins(reached))
    elif as_csv:
        _write_csv(reached)
    else:
        _show(reached)


def _write_csv(reached: "Funnel") -> None:
    """One line a step, and of a break-down also one a value and step; the value of all is empty."""
    names = ("units", "of_first", "of_previous", "median_seconds", "p90_seconds")
    lines = csv.writer(sys.stdout, lineterminator="\n")
    lines.writerow([*([reached.by] if reached.by else []), "step", "condition", *names])
    for value, steps in (("", reached.steps), *reached.values.items()):
        for number, step in enumerate(steps, start=1):
            numbers = (getattr(step, name) for name in names)
            lines.writerow([*([visible(value)] if reached.by else []), number, visible(step.step), *numbers])


def _show(reached: "Funnel") -> None:
    strict = ", nothing else between" if reached.strict else ""
    click.echo(f"{reached.unit}s, all steps within {_time(reached.within_seconds)} of the first{strict}")
    heads = ["step", f"{reached.unit}s", "of first", "of step before", "median time", "90 % within"]
    show(heads, map(_row, reached.steps))
    if reached.by:
        heads = [reached.by, *(step.step for step in reached.steps), "all steps"]
        show(heads, [_value_row(value, steps) for value, steps in reached.values.items()])


def _row(step: "FunnelStep") -> list[str]:
    shares = ["–" if share is None else f"{share:.1%}" for share in (step.of_first, step.of_previous)]
    return [step.step, f"{step.units:,}", *shares, _time(step.median_seconds), _time(step.p90_seconds)]


def _value_row(value: str, steps: Sequence["FunnelStep"]) -> list[str]:
    return [value, *(f"{step.units:,}" for step in steps), f"{steps[-1].of_first or 0:.1%}"]


def _time(seconds: float | None) -> str:
    """As a reader says it: the largest unit that it holds once."""
    if seconds is None:
        return "–"
    sizes = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))
    unit, size = next(((unit, size) for unit, size in sizes if seconds >= size), sizes[-1])
    return f"{seconds / size:.3g} {unit}"
