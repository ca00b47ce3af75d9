"""`nextclick serve`: the API, until stopped."""

import click

from cli.parts.server_verb import ServerVerb
from nextclick.settings import Settings

_SERVER = ServerVerb("serving.api.server", "serving", "read", "metrics_serving")


@click.command("serve")
@_SERVER.options
def serve(settings: Settings, as_json: bool, **options: str | int | None) -> None:
    """Answer what to show next, over HTTP; Ctrl-C or SIGTERM ends it.

    \b
    nextclick serve
    nextclick --lake shop serve --port 8081
    nextclick serve --port 0 --json         any free port; the address as JSON
    curl 'localhost:8081/v1/personalize?visitor_id=v1'

    The page /docs of the server describes every route; docs/api.md says how scores and lists are made.
    """
    _SERVER.run(settings, lambda address: f"answering on {address} from {settings.lake.data}", as_json, **options)
