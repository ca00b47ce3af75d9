"""nextclick experiment list | assign | report."""

from datetime import UTC, datetime

import click
import msgspec

from cli.parts.console_table import show
from nextclick.command import common_options, json_option, print_json
from nextclick.errors import UsageError
from nextclick.settings import Settings
from serving.experiments import assignment
from serving.experiments.assignment import Experiment
from serving.experiments.report import ExperimentReport, VariantComparison, VariantReport


@click.group("experiment")
def experiment() -> None:
    """A/B tests: what is set up, who is in which variant, and what came out so far.

    \b
    nextclick experiment list
    nextclick experiment assign --visitor v1
    nextclick --lake shop experiment report home-ranking --json

    An experiment is a file of conf/experiments/; docs/experiments.md shows the form.
    """


@experiment.command("list")
@json_option
@common_options
def list_(settings: Settings, as_json: bool) -> None:
    """The experiments of conf/experiments/, and whether they run now."""
    now, experiments = datetime.now(UTC), _all(settings)
    if as_json:
        print_json([{"state": one.state(now), **msgspec.to_builtins(one)} for one in experiments])
        return
    columns = ("experiment", "state", "layer", "traffic", "holdout", "metric", "variants")
    show(columns, [_row(one, now) for one in experiments])


@experiment.command()
@click.option("--visitor", metavar="ID", help="The visitor_id.")
@click.option("--user", metavar="ID", help="The user_id, where there is one.")
@click.option("--at", type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]), help="When, in UTC (default: now).")
@click.option(
    "--audience",
    "audiences",
    multiple=True,
    metavar="NAME",
    help="An audience that they belong to; as often as it takes.",
)
@json_option
@common_options
def assign(
    settings: Settings,
    visitor: str | None,
    user: str | None,
    at: datetime | None,
    audiences: tuple[str, ...],
    as_json: bool,
) -> None:
    """The variants that a visitor or user gets, as every answer of the API computes them.

    \b
    nextclick experiment assign --visitor v1 --user u1
    nextclick experiment assign --visitor v1 --at 2026-01-15
    nextclick experiment assign --visitor v1 --audience lookers
    """
    if visitor is None and user is None:
        raise UsageError("Name somebody: --visitor ID, --user ID, or both.")
    now = at.replace(tzinfo=UTC) if at else datetime.now(UTC)
    assignments = assignment.assign(_all(settings), settings.site, visitor, user, now, audiences)
    if as_json:
        print_json(
            {"assigned": {each.experiment: each.variant for each in assignments.assigned}, "params": assignments.params}
        )
        return
    for each in assignments.assigned:
        click.echo(f"{each.experiment}: {each.variant}")
    if not assignments.assigned:
        click.echo(f"In no experiment at {now:%Y-%m-%d %H:%M} UTC.")


@experiment.command()
@click.argument("name")
@json_option
@common_options
def report(settings: Settings, name: str, as_json: bool) -> None:
    """What experiment NAME has found so far; look as often as you like.

    \b
    nextclick experiment report home-ranking
    nextclick experiment report home-ranking --json | jq '.comparisons[].verdict'

    Intervals are confidence sequences: they hold at every look, so a verdict may be acted on when it appears.
    """
    from serving.experiments.report import report as reported

    result = reported(settings, assignment.FORM.pick(_all(settings), name))
    if as_json:
        print_json(msgspec.to_builtins(result))
        return
    _show(result)


def _all(settings: Settings) -> tuple[Experiment, ...]:
    return assignment.load(settings.conf_dir / "experiments")


def _row(one: Experiment, now: datetime) -> list[str]:
    traffic = f"{one.traffic[0]:.0%} to {one.traffic[1]:.0%}"
    names = ", ".join(variant.name for variant in one.variants)
    return [one.name, one.state(now), one.layer, traffic, f"{one.holdout:.0%}", one.metric, names]


def _show(result: ExperimentReport) -> None:
    level = f"{result.confidence:.0%}"
    show(
        (
            "variant",
            "share",
            "exposed",
            "judged",
            result.metric,
            "rate",
            f"{level} at every look",
            "answers",
            "clicked",
        ),
        [_variant(one) for one in result.variants],
    )
    show(
        ("variant", "less", "difference", f"{level} at every look", "p", "so far"), map(_comparison, result.comparisons)
    )
    ratio = result.sample_ratio
    click.echo(f"sample ratio: p {ratio.p:.4f} at every look, χ² {ratio.chi_square_p:.4f} at this one")
    if ratio.suspicious:
        click.echo("Units are not in the variants as planned: find out why before you believe the rates.")
    if result.mixed:
        click.echo(f"{result.mixed:,} units were shown several variants, and count in none.")


def _variant(one: VariantReport) -> list[str]:
    interval = f"{one.rate.low:.4f} to {one.rate.high:.4f}"
    counts = [f"{number:,}" for number in (one.exposed, one.units, one.successes)]
    return [
        one.name,
        f"{one.share:.1%}",
        *counts,
        f"{one.rate.value:.4f}",
        interval,
        f"{one.answers:,}",
        f"{one.clicked:,}",
    ]


def _comparison(one: VariantComparison) -> list[str]:
    if one.difference is None:
        return [one.variant, one.control, "", "", "", "no units yet"]
    value, low, high, p = msgspec.structs.astuple(one.difference)
    return [one.variant, one.control, f"{value:+.4f}", f"{low:+.4f} to {high:+.4f}", f"{p:.4f}", one.verdict]
