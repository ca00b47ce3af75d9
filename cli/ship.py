"""`nextclick ship`: what this machine published goes where bronze reads it."""

import time

import click
import msgspec

from nextclick.command import common_options, json_option, print_json
from nextclick.errors import NextclickError
from nextclick.settings import Settings
from nextclick.shipping.shipper import Shipped, Shipper


@click.command("ship", short_help="Bring what this machine published into the lake's bucket, or to Kafka.")
@click.option("--follow", is_flag=True, help="Stay, and ship what comes, until stopped.")
@json_option
@common_options
def ship(settings: Settings, follow: bool, as_json: bool) -> None:
    """Bring the segments that this machine published where bronze reads them, and remove them here.

    With streaming.source = bucket they go into the lake's bucket; with collector.sink = kafka what imports and
    replays left goes to the topics. `collect`, `import` and `quarantine replay` do so by themselves: this verb is for a machine
    that only answers (`serve`), and for what one that was killed left.

    \b
    nextclick --lake s3://bucket/shop ship
    nextclick --lake s3://bucket/shop ship --follow

    With --follow it goes on where bucket or brokers were away. Killed anywhere, nothing is lost and nothing comes twice: call
    again. docs/scale.md says more.
    """
    settings.lake.prepare()
    shipper = Shipper(settings)
    if not follow:
        _show(shipper.round(), as_json)
        return
    said = ""
    while True:
        try:
            done = shipper.round()
        except NextclickError as error:  # bucket or brokers may be back at the next look
            if str(error) != said:
                click.echo(f"nextclick: {error}", err=True)
            said = str(error)
        else:
            said = ""
            if done.segments:
                _show(done, as_json)
        time.sleep(settings.collector.publish_seconds)


def _show(done: Shipped, as_json: bool) -> None:
    if as_json:
        print_json(msgspec.to_builtins(done))
        return
    click.echo(f"{done.segments:,} segments shipped: {done.lines:,} lines, {done.bytes:,} bytes")
    if done.kept:
        click.echo(f"{done.kept:,} of them stay here, too, until live profiles have taken them")
