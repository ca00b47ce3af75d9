"""`nextclick stream`: bronze and silver, always on."""

import click

from nextclick.command import common_options
from nextclick.settings import Settings
from spark_jobs import jobs
from spark_jobs.always_on.stream import stream as run_until_stopped


@click.command("stream")
@common_options
def stream(settings: Settings) -> None:
    """Keep bronze and silver up to date until stopped (Ctrl-C or SIGTERM).

    All queries run in one process. A batch that is under way when it stops is done anew at the next start, once.

    \b
    nextclick stream
    nextclick --lake /data/lake stream
    """
    click.echo(f"streaming {settings.lake.data}: {', '.join(jobs.STREAMED)}; stop with Ctrl-C", err=True)
    run_until_stopped(settings)
    click.echo("stopped; nothing is lost, the next start goes on here", err=True)
