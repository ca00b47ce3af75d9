"""`nextclick export`: the newest lists of gold, in the key-value table."""

from functools import partial

import click
import msgspec

from cli.parts.progress import progress_bars
from nextclick.command import common_options, json_option, print_json
from nextclick.settings import Settings
from serving.export.export import run


@click.command("export")
@common_options
@click.option("--full", is_flag=True, help="Write every list anew, even if the newest ones are served.")
@json_option
def export(settings: Settings, full: bool, as_json: bool) -> None:
    """Bring the newest lists of gold into the key-value table.

    \b
    nextclick --lake shop export
    nextclick export --full --json      every list anew, even if the newest ones are served

    What is served changes in one step, when the new version is complete and checked.
    """
    with progress_bars() as progress:
        report = run(settings, partial(progress, "lists"), full)
    if as_json:
        print_json(msgspec.to_builtins(report))
        return
    facts = report.details
    click.echo(
        f"Version {facts['version']} is served ({facts['kind']}): lists of {facts['people']:,} people from model "
        f"{facts['model_version']}, in {report.seconds:.1f} s."
    )
    if facts["newest"] != facts["version"]:
        click.echo(
            f"The lists in gold are version {facts['newest']}, which was rolled back. "
            f"`nextclick rollback --to {facts['newest']}` serves it again; newer lists will be served as they come."
        )
