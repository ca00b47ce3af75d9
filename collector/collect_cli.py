"""`nextclick collect`: the collector, until stopped."""

import shutil
from pathlib import Path

import click
import msgspec

from nextclick import ports
from nextclick.cli import common_options, json_option, print_json
from nextclick.errors import UsageError
from nextclick.settings import Settings, hand_down


@click.command("collect")
@click.option("--host", help="Address to listen on (default: collector.host).")
@click.option("--port", type=click.IntRange(0, 65535), help="Port (default: collector.port; 0: any free one).")
@click.option("--workers", type=click.IntRange(1, 64), help="Processes (default: collector.workers).")
@json_option
@common_options
def collect(settings: Settings, host: str | None, port: int | None, workers: int | None, as_json: bool) -> None:
    """Take what trackers send into the lake; Ctrl-C or SIGTERM ends it, with nothing lost.

    \b
    nextclick collect
    nextclick --lake shop collect --port 8080
    nextclick collect --port 0 --json       any free port; the address as JSON

    A 200 means that the events are on disk. docs/trackers/README.md lists the trackers that can send here.
    """
    given = {"host": host, "port": port, "workers": workers}
    chosen = msgspec.structs.replace(
        settings.collector, **{name: value for name, value in given.items() if value is not None}
    )
    if not (chosen.write_keys or ports.is_loopback(chosen.host)):
        raise UsageError(
            f"{chosen.host} is open to others, and no write keys are set. "
            "Name sites and their keys in [collector.write_keys] of conf/, or listen on 127.0.0.1."
        )
    chosen = msgspec.structs.replace(chosen, port=ports.free(chosen.host, chosen.port))
    settings.lake.prepare()
    counts = settings.lake.state / "metrics"
    shutil.rmtree(counts, ignore_errors=True)
    counts.mkdir()
    hand_down(settings, PROMETHEUS_MULTIPROC_DIR=str(counts))
    from collector.server import serve
    from nextclick.web.process import when_it_answers

    address = f"http://{chosen.host}:{chosen.port}"
    when_it_answers(address, lambda: _announce(address, settings.lake.root, as_json), chosen.workers)
    serve(msgspec.structs.replace(settings, collector=chosen))


def _announce(address: str, lake: Path, as_json: bool) -> None:
    """Say where it listens."""
    if as_json:
        print_json({"address": address})
    else:
        click.echo(f"collecting on {address} into {lake}", err=True)
