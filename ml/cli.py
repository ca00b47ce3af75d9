"""`nextclick train` and `nextclick update`."""

import click
import msgspec

from ml import export
from ml import train as training
from nextclick.cli import common_options, json_option, print_json
from nextclick.settings import Settings


@click.command(short_help="Fit, judge, register and, through the gate, promote the model.")
@common_options
@json_option
def train(settings: Settings, as_json: bool) -> None:
    """Fit the nightly model and export its lists."""
    reports = [training.run(settings), export.run(settings)]
    if as_json:
        print_json([msgspec.to_builtins(report) for report in reports])
    else:
        for report in reports:
            click.echo(report.line())
