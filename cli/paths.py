"""`nextclick paths`: where visits go to, or came from, step by step."""

import csv
import sys
from typing import TYPE_CHECKING, Any

import click
import msgspec

from cli.parts.console_table import show
from cli.parts.day_options import day_options
from nextclick.command import common_options, csv_option, json_option, print_json
from nextclick.errors import UsageError
from nextclick.settings import Settings
from nextclick.visible import visible

if TYPE_CHECKING:
    from analytics.journeys.days import Days
    from analytics.paths import VisitPaths


@click.command("paths")
@click.option("--after", metavar="PAGE|EVENT", help="What comes after a visit's first such page or event.")
@click.option("--before", metavar="PAGE|EVENT", help="What comes before it.")
@click.option(
    "--of", type=click.Choice(["pages", "events"]), default="pages", show_default=True, help="What a path consists of."
)
@click.option("--steps", type=click.IntRange(1, 5), default=5, show_default=True, help="Its length.")
@click.option(
    "--top",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    help="Places that each step names; others are (other).",
)
@csv_option
@json_option
@common_options
@day_options
def paths(
    settings: Settings, after: str | None, before: str | None, days: "Days", as_csv: bool, as_json: bool, **options: Any
) -> None:
    """Which pages, or kinds of event, visits come to step by step: from their start, after a page or event, or before one.

    A page is an address or a path that begins with /; an EVENT is written as a step of `nextclick funnel`. Equal neighbours count as one
    step. Each step adds up to all visits: who had no further step is at (end).

    \b
    nextclick paths
    nextclick paths --after /pricing --steps 3
    nextclick paths --before purchase --of events --from 2026-06-01 --to 2026-06-30
    nextclick paths --after 'view_item[category=shoes]' --csv

    Days are those on which visits start. Bots are left out. CSV has the visits from place to place.
    """
    if after is not None and before is not None:
        raise UsageError("--after and --before are two ends of one path: choose one.")
    from analytics.paths import PathsQuestion, answer

    anchor, direction = (before, "before") if before is not None else (after, "after")
    question = msgspec.convert({"anchor": anchor, "direction": direction, **options}, PathsQuestion)
    walked = answer(settings, msgspec.structs.replace(question, days=days))
    if as_json:
        print_json(msgspec.to_builtins(walked))
    elif as_csv:
        lines = csv.writer(sys.stdout, lineterminator="\n")
        lines.writerow(["step", "source", "target", "visits"])
        lines.writerows([link.step, visible(link.source), visible(link.target), link.visits] for link in walked.links)
    else:
        _show(walked)


def _show(walked: "VisitPaths") -> None:
    click.echo(f"{walked.visits:,} visits, {walked.of} {walked.direction} {visible(walked.anchor)}")
    rows = [
        [str(number) if not at else "", place.place, f"{place.visits:,}", f"{place.visits / walked.visits:.1%}"]
        for number, places in enumerate(walked.steps, start=1)
        for at, place in enumerate(places)
    ]
    show(["step", walked.of.removesuffix("s"), "visits", "of all"], rows)
