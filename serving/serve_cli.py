"""`nextclick serve`: the API, until stopped."""

import shutil
from pathlib import Path

import click
import msgspec

from nextclick import ports
from nextclick.cli import common_options, json_option, print_json
from nextclick.errors import UsageError
from nextclick.settings import Settings, hand_down


@click.command("serve")
@click.option("--host", help="Address to listen on (default: serving.host).")
@click.option("--port", type=click.IntRange(0, 65535), help="Port (default: serving.port; 0: any free one).")
@click.option("--workers", type=click.IntRange(1, 64), help="Processes (default: serving.workers).")
@json_option
@common_options
def serve(settings: Settings, host: str | None, port: int | None, workers: int | None, as_json: bool) -> None:
    """Answer what to show next, over HTTP; Ctrl-C or SIGTERM ends it.

    \b
    nextclick serve
    nextclick --lake shop serve --port 8081
    nextclick serve --port 0 --json         any free port; the address as JSON
    curl 'localhost:8081/v1/personalize?visitor_id=v1'

    The page /docs of the server describes every route; docs/api.md says how scores and lists are made.
    """
    given = {"host": host, "port": port, "workers": workers}
    chosen = msgspec.structs.replace(
        settings.serving, **{name: value for name, value in given.items() if value is not None}
    )
    if not (chosen.read_keys or ports.is_loopback(chosen.host)):
        raise UsageError(
            f"{chosen.host} is open to others, and no read keys are set. "
            "Name sites and their keys in [serving.read_keys] of conf/, or listen on 127.0.0.1."
        )
    chosen = msgspec.structs.replace(chosen, port=ports.free(chosen.host, chosen.port))
    settings.lake.prepare()
    counts = settings.lake.state / "metrics_serving"
    shutil.rmtree(counts, ignore_errors=True)
    counts.mkdir()
    hand_down(settings, PROMETHEUS_MULTIPROC_DIR=str(counts))
    from nextclick.web.process import when_it_answers
    from serving.server import serve as run

    address = f"http://{chosen.host}:{chosen.port}"
    when_it_answers(address, lambda: _announce(address, settings.lake.root, as_json), chosen.workers)
    run(msgspec.structs.replace(settings, serving=chosen))


def _announce(address: str, lake: Path, as_json: bool) -> None:
    """Say where it listens."""
    if as_json:
        print_json({"address": address})
    else:
        click.echo(f"answering on {address} from {lake}", err=True)
