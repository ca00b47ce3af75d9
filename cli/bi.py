"""`nextclick bi`: Spark's Thrift server over gold and the reports, until stopped."""

import secrets
import signal
import threading

import click
import msgspec

from nextclick import ports
from nextclick.command import common_options, json_option, print_json
from nextclick.errors import UsageError
from nextclick.settings import BiSettings, Settings


@click.command("bi")
@click.option("--host", help="Address to listen on (default: bi.host).")
@click.option("--port", type=click.IntRange(0, 65535), help="Port (default: bi.port; 0: any free one).")
@json_option
@common_options
def bi(settings: Settings, host: str | None, port: int | None, as_json: bool) -> None:
    """Answer BI tools that speak HiveServer2's protocol (Hive JDBC, Spark SQL), queries alone; Ctrl-C or SIGTERM ends it.

    \b
    nextclick bi
    nextclick --lake shop bi --port 10001
    nextclick bi --port 0 --json     any free port; how to connect as JSON

    It shows gold and the reports as they are when they are asked, which takes a minute to start and seconds a
    query: for lakes beyond what `nextclick share` copies. The password is bi.password of the settings, or a new
    one at each start. docs/bi.md says how tools connect.
    """
    from analytics import views
    from nextclick.contracts import catalog
    from nextclick.contracts.table import Layer
    from spark_jobs.thrift.server import ThriftServer

    door = _door(settings.bi, host, port)
    password = door.password or secrets.token_urlsafe(24)
    tables = [table.name for table in catalog.TABLES if table.layer is Layer.GOLD]
    click.echo("Spark starts, which takes up to a minute …", err=True)
    server = ThriftServer(settings, tables, views.of_lake_in_spark(settings.analytics))
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    server.start(door.host, door.port, password)
    _announce(door, password, as_json)
    stopped.wait()
    server.stop()


def _door(door: BiSettings, host: str | None, port: int | None) -> BiSettings:
    """UsageError where others could guess their way in."""
    chosen = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    door = msgspec.structs.replace(door, **chosen)
    if not (door.password or ports.is_loopback(door.host)):
        raise UsageError(
            f"{door.host} is open to others, and bi.password is not set. Set it (NEXTCLICK_BI__PASSWORD), or listen on 127.0.0.1."
        )
    return msgspec.structs.replace(door, port=ports.free(door.host, door.port))


def _announce(door: BiSettings, password: str, as_json: bool) -> None:
    from spark_jobs.thrift.server import USER

    shown = None if door.password else password  # who set it knows it
    address = f"jdbc:hive2://{door.host}:{door.port}/report"
    if as_json:
        print_json({"jdbc": address, "host": door.host, "port": door.port, "user": USER, "password": shown})
        return
    click.echo(f"{address}\nuser {USER}, password {shown or 'as bi.password says'}\nStop with Ctrl-C.")
    if not ports.is_loopback(door.host):
        click.echo(
            f"nextclick: passwords and rows cross {door.host} in clear: docs/bi.md says how to hide them.", err=True
        )
