"""`nextclick collect`: the collector, until stopped."""

import click

from nextclick.settings import Settings
from nextclick.web.opening import Opening

_OPENING = Opening("collector", "write", "metrics")


@click.command("collect")
@_OPENING.options
def collect(settings: Settings, as_json: bool, **given: str | int | None) -> None:
    """Take what trackers send into the lake; Ctrl-C or SIGTERM ends it, with nothing lost.

    \b
    nextclick collect
    nextclick --lake shop collect --port 8080
    nextclick collect --port 0 --json       any free port; the address as JSON

    A 200 means that the events are on disk. docs/trackers/README.md lists the trackers that can send here.
    """
    settings = _OPENING.chosen(settings, **given)
    _OPENING.prepare(settings)
    from collector.http.server import serve

    _OPENING.announce(settings, lambda address: f"collecting on {address} into {settings.lake.root}", as_json)
    serve(settings)
