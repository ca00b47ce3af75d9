"""nextclick share TARGET | serve | recipient | reads | link: what others may see, and who did."""

import os
from contextlib import suppress
from pathlib import Path

import click
import msgspec

from cli.console_table import show
from cli.share_copy import CopyByDefault, copy
from nextclick import ports
from nextclick.command import common_options, json_option, print_json
from nextclick.errors import UsageError
from nextclick.settings import Settings

_LONGEST_DAYS = 3_650
_CONNECTIONS = 128
"""At once; more are answered 503, and clients come again."""
_days = click.FloatRange(0, _LONGEST_DAYS, min_open=True)


@click.group("share", cls=CopyByDefault)
def share() -> None:
    """Copy gold and the reports to where BI tools read them, or let partners read chosen tables, or one page, until a day.

    \b
    nextclick share shop.duckdb                       a copy as a file; docs/bi.md
    nextclick share postgresql://shop@db.example/bi   a copy in PostgreSQL, by what changed
    nextclick share recipient add acme --days 90      a token, in a file for acme
    nextclick share serve                             Delta Sharing, on loopback
    nextclick share reads --recipient acme            what acme read
    nextclick share link /overview --days 7           a link to one page of the dashboard

    conf/shares.toml names the tables, columns and sites that a recipient may see; docs/sharing.md.
    """


share.add_command(copy)


@share.command()
@click.option("--host", help="Address to listen on (default: sharing.host).")
@click.option("--port", type=click.IntRange(0, 65535), help="Port (default: sharing.port; 0: any free one).")
@json_option
@common_options
def serve(settings: Settings, host: str | None, port: int | None, as_json: bool) -> None:
    """Answer the Delta Sharing protocol for conf/shares.toml; Ctrl-C or SIGTERM ends it.

    \b
    nextclick share serve
    nextclick share serve --port 0 --json      any free port; the endpoint as JSON

    Clients (pandas, Spark, Power BI, Tableau) want the file that `nextclick share recipient add` writes.
    """
    import signal

    import uvicorn

    from analytics.sharing.app import app
    from analytics.sharing.server import endpoint
    from nextclick.web.process import when_it_answers

    chosen = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    sharing = msgspec.structs.replace(settings.sharing, **chosen)
    sharing = msgspec.structs.replace(sharing, port=ports.free(sharing.host, sharing.port))
    settings = msgspec.structs.replace(settings, sharing=sharing)
    settings.lake.prepare()
    for warning in _warnings(settings):
        click.echo(f"nextclick: {warning}", err=True)
    address = f"{'https' if sharing.tls_certificate else 'http'}://{sharing.host}:{sharing.port}"
    when_it_answers(address, lambda: _announce(endpoint(sharing), as_json))
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # closes as Ctrl-C does
    with suppress(KeyboardInterrupt):
        uvicorn.run(
            app(settings),
            host=sharing.host,
            port=sharing.port,
            log_level="warning",
            timeout_graceful_shutdown=2,
            server_header=False,
            limit_concurrency=_CONNECTIONS,
            ssl_certfile=sharing.tls_certificate or None,
            ssl_keyfile=sharing.tls_key or None,
        )


def _warnings(settings: Settings) -> list[str]:
    """What should be known before others ask. UsageError where nothing is shared."""
    from analytics.sharing import shares
    from analytics.sharing.recipients import Recipients

    file, recipients = settings.conf_dir / "shares.toml", Recipients(settings.lake)
    named = shares.load(file).recipients
    if not named:
        raise UsageError(f"{file} names no share. docs/sharing.md shows one.")
    able = {each.name for each in recipients.all() if recipients.is_active(each)}
    warnings = [f"{name} has no token: `nextclick share recipient add {name}`." for name in sorted(named - able)]
    warnings += [f"{name} has a token, and no share in {file}." for name in sorted(able - named)]
    if not (ports.is_loopback(settings.sharing.host) or settings.sharing.tls_certificate):
        warnings.append(
            f"{settings.sharing.host} is open to others, and tokens and tables travel there in clear: "
            "set sharing.tls_certificate and tls_key, or stand behind a proxy (docs/deploy.md)."
        )
    return warnings


def _announce(address: str, as_json: bool) -> None:
    if as_json:
        print_json({"endpoint": address})
    else:
        click.echo(f"Delta Sharing {address}\nStop with Ctrl-C.")


@share.group()
def recipient() -> None:
    """Who may read what conf/shares.toml names.

    \b
    nextclick share recipient add acme --days 90
    nextclick share recipient list
    nextclick share recipient end acme
    """


@recipient.command("add")
@click.argument("name")
@click.option("--days", type=_days, default=90, show_default=True, help="Days for which the token opens anything.")
@click.option("--to", type=click.Path(path_type=Path), help="The file to write (default: NAME.share).")
@click.option("--endpoint", metavar="URL", help="What NAME calls the server by (default: by the settings [sharing]).")
@json_option
@common_options
def add(settings: Settings, name: str, days: float, to: Path | None, endpoint: str | None, as_json: bool) -> None:
    """Make a token for NAME, and write it into a profile file, which Delta Sharing's clients read.

    \b
    nextclick share recipient add acme
    nextclick share recipient add acme --days 30 --to acme.share --endpoint https://share.example/delta-sharing

    The lake keeps a digest of the token alone: hand the file over by a way that others cannot read, and remove it.
    """
    from analytics.sharing.recipients import Recipients, profile
    from analytics.sharing.server import endpoint as usual

    path = to or Path(f"{name}.share")
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}. Name another file with --to.") from error
    try:
        added, token = Recipients(settings.lake).add(name, days)
        with open(descriptor, "wb", closefd=False) as file:
            file.write(profile(endpoint or usual(settings.sharing), added, token))
    except BaseException:
        path.unlink()
        raise
    finally:
        os.close(descriptor)
    if as_json:
        print_json({"recipient": name, "ends_at": added.ends_at.isoformat(), "profile": str(path)})
        return
    click.echo(f"{path} opens what {name} may see until {added.ends_at:%Y-%m-%d %H:%M} UTC. The token is nowhere else.")


@recipient.command("list")
@json_option
@common_options
def list_(settings: Settings, as_json: bool) -> None:
    """Who has, or had, a token, and the shares of each.

    \b
    nextclick share recipient list
    nextclick share recipient list --json | jq '.[] | select(.active) | .name'
    """
    from analytics.sharing import shares
    from analytics.sharing.recipients import Recipients

    recipients, there = Recipients(settings.lake), shares.load(settings.conf_dir / "shares.toml")
    rows = [
        {
            "name": each.name,
            "active": recipients.is_active(each),
            "created_at": each.created_at.isoformat(timespec="seconds"),
            "ends_at": each.ends_at.isoformat(timespec="seconds"),
            "shares": [*there.of(each.name)],
        }
        for each in recipients.all()
    ]
    if as_json:
        print_json(rows)
        return
    columns = ("name", "active", "created_at", "ends_at", "shares")
    show(
        columns,
        [[", ".join(value) if isinstance(value, list) else str(value) for value in row.values()] for row in rows],
    )


@recipient.command("end")
@click.argument("name")
@json_option
@common_options
def end(settings: Settings, name: str, as_json: bool) -> None:
    """End the token of NAME now, and every link to a file that was handed out by it.

    \b
    nextclick share recipient end acme
    """
    from analytics.sharing.recipients import Recipients

    ended = Recipients(settings.lake).end(name)
    if as_json:
        print_json({"recipient": name, "ends_at": ended.ends_at.isoformat()})
    else:
        click.echo(f"The token of {name} opens nothing any more.")


@share.command()
@click.option("--recipient", "name", metavar="NAME", help="Of this one alone.")
@click.option("-n", "most", type=click.IntRange(1), default=20, show_default=True, help="The newest so many.")
@json_option
@common_options
def reads(settings: Settings, name: str | None, most: int, as_json: bool) -> None:
    """Who read what, the newest last; --json prints all that is kept of each.

    \b
    nextclick share reads
    nextclick share reads --recipient acme -n 1000 --json | jq '.[] | select(.what == "query") | .rows'
    """
    from collections import deque

    from analytics.sharing.audit import Audit

    newest = deque((read for read in Audit(settings.lake).reads() if name in (None, read.recipient)), most)
    if as_json:
        print_json([msgspec.to_builtins(read) for read in newest])
        return
    columns = ("at (UTC)", "recipient", "what", "status", "table", "version", "files", "rows")
    show(
        columns,
        [
            [f"{read.at:%m-%d %H:%M}", read.recipient, read.what, str(read.status), read.table, *map(_number, counts)]
            for read in newest
            for counts in [(read.version, read.files, read.rows)]
        ],
    )


def _number(value: int | None) -> str:
    return "" if value is None else str(value)


@share.command()
@click.argument("address")
@click.option("--days", type=_days, default=7, show_default=True, help="Days for which the link opens the page.")
@click.option("--base", metavar="URL", default="http://127.0.0.1:8090", show_default=True, help="The dashboard.")
@json_option
@common_options
def link(settings: Settings, address: str, days: float, base: str, as_json: bool) -> None:
    """A link to one page of the dashboard, or to one report's CSV, which opens that alone, until its end.

    \b
    nextclick share link overview
    nextclick share link '/acquisition?range=90d&where=channel=email' --days 30
    nextclick share link '/csv/traffic?by=channel' --base https://dashboard.example

    Who has the link sees the page with these days and filters, and can load its tables; no other page, range or filter.
    """
    import time

    from dashboard.access import PageAccess, require_linkable

    page, until = require_linkable(address), int(time.time() + days * 86_400)
    settings.lake.prepare()
    signed = base.rstrip("/") + PageAccess(settings.lake).sign(page, until)
    if as_json:
        print_json({"link": signed, "ends_at": until})
    else:
        click.echo(signed)


@share.command()
@json_option
@common_options
def unlink(settings: Settings, as_json: bool) -> None:
    """End all links to pages, and those to partners' files, which their next query renews.

    \b
    nextclick share unlink
    """
    from dashboard.access import PageAccess

    settings.lake.prepare()
    PageAccess(settings.lake).end_all()
    if as_json:
        print_json({"ended": True})
    else:
        click.echo("No link that was made before opens anything any more.")
