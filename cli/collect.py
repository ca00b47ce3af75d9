"""`nextclick collect`: the collector, until stopped."""

import click

from cli.parts.server_verb import ServerVerb
from nextclick.settings import Settings

_SERVER = ServerVerb("collector.http.server", "collector", "write", "metrics")


@click.command("collect")
@_SERVER.options
def collect(settings: Settings, as_json: bool, **options: str | int | None) -> None:
    """Take what trackers send into the lake; Ctrl-C or SIGTERM ends it, with nothing lost.

    \b
    nextclick collect
    nextclick --lake shop collect --port 8080
    nextclick collect --port 0 --json       any free port; the address as JSON

    A 200 means that the events are on disk. docs/trackers/README.md lists the trackers that can send here.
    """
    _SERVER.run(settings, lambda address: f"collecting on {address} into {settings.lake.data}", as_json, **options)
