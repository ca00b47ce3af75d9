"""`nextclick dashboard`: pages of what people do and how the recommender does, on loopback, until stopped."""

import signal
from contextlib import suppress

import click

from dashboard import PORT
from nextclick import ports
from nextclick.command import common_options, json_option, print_json
from nextclick.settings import Settings


@click.command("dashboard")
@click.option("--port", type=click.IntRange(0, 65535), default=PORT, show_default=True, help="0: any free port.")
@json_option
@common_options
def dashboard(settings: Settings, port: int, as_json: bool) -> None:
    """Show the lake's figures in a browser, on loopback; Ctrl-C or SIGTERM ends it.

    \b
    nextclick dashboard
    nextclick --lake shop dashboard --port 8091
    nextclick dashboard --port 0 --json     any free port; the link as JSON

    The link brings a token, new at every start: without it, and for pages of other origins, the pages are closed. Programs send
    `Authorization: Bearer TOKEN`. docs/dashboard.md says what the pages show.
    """
    import uvicorn  # these take a second: --help should not

    from cli.parts.without_pandas import leave_pandas_out
    from dashboard.app import app
    from nextclick.web import guard
    from nextclick.web.process import when_it_answers

    leave_pandas_out()
    token, port = guard.new_token(), ports.free(guard.HOST, port)
    address = f"http://{guard.HOST}:{port}"
    when_it_answers(address, lambda: _announce(f"{address}/?token={token}", as_json))
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # closes as Ctrl-C does
    with suppress(KeyboardInterrupt):
        uvicorn.run(app(settings, token), host=guard.HOST, port=port, log_level="warning", timeout_graceful_shutdown=2)


def _announce(link: str, as_json: bool) -> None:
    if as_json:
        print_json({"address": link.partition("/?")[0], "dashboard": link})
    else:
        click.echo(f"Dashboard {link}\nStop with Ctrl-C.")
