"""`nextclick rebuild`: a layer anew from the layer below."""

import click
import msgspec

from nextclick.command import common_options, json_option, print_json
from nextclick.report import JobReport
from nextclick.settings import Settings
from spark_jobs import run_jobs
from spark_jobs.run_jobs import REBUILDS


@click.command("rebuild")
@click.argument("layer", type=click.Choice(list(REBUILDS)))
@json_option
@common_options
def rebuild(settings: Settings, layer: str, as_json: bool) -> None:
    """Recompute a layer, and what is made of it, from the layer below.

    Each table is replaced in one commit, so that readers see the old rows or the new.
    An interrupted rebuild goes on when it, or `nextclick run`, is called again.

    \b
    nextclick rebuild gold       after new weights or a new half-life
    nextclick rebuild silver     after a lost checkpoint, a mended rule or another session gap
    nextclick rebuild bronze     from the landing log up
    """
    reports: list[JobReport] = []
    for report in run_jobs.rebuild(settings, layer):
        click.echo(report.line(), err=True)
        reports.append(report)
    if as_json:
        print_json(msgspec.to_builtins(reports))
