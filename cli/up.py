"""`nextclick up`: the pages of Dagster and MLflow, until stopped."""

from collections.abc import Sequence

import click

from nextclick.command import common_options, json_option, print_json
from nextclick.settings import Settings
from orchestration.pages.serve import Page, serve_pages


@click.command("up")
@click.option("--port", type=click.IntRange(0, 65535), help="Dagster's port (default: orchestration.ui_port; 0: any).")
@click.option("--mlflow-port", type=click.IntRange(0, 65535), help="MLflow's (default: orchestration.mlflow_port).")
@json_option
@common_options
def up(settings: Settings, port: int | None, mlflow_port: int | None, as_json: bool) -> None:
    """Start the Dagster and MLflow pages on loopback; Ctrl-C or SIGTERM stops them.

    \b
    nextclick up
    nextclick up --port 3001 --mlflow-port 5001
    nextclick up --port 0 --mlflow-port 0 --json    any free ports, printed as JSON

    Each link brings a token, new at every start: without it, and for pages of other origins, both are closed. Programs send
    `Authorization: Bearer TOKEN`. Schedules are off until they are switched on in Dagster's page (Automation).
    """
    serve_pages(settings, port, mlflow_port, lambda pages: _announce(pages, as_json))
    click.echo("stopped", err=True)


def _announce(pages: Sequence[Page], as_json: bool) -> None:
    if as_json:
        print_json({page.server.name.lower(): page.link for page in pages})
    else:
        for page in pages:
            click.echo(f"{page.server.name:<8} {page.link}")
        click.echo("Stop with Ctrl-C.")
