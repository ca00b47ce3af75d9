"""`nextclick share recipient` and `reads`: who may read what partners are shown, and who did."""

import os
from pathlib import Path
from typing import Final

import click
import msgspec

from cli.parts.console_table import show
from nextclick.command import common_options, json_option, print_json
from nextclick.errors import UsageError
from nextclick.settings import Settings

DAYS: Final = click.FloatRange(0, 3_650, min_open=True)
"""How long what is handed out opens anything."""


@click.group()
def recipient() -> None:
    """Who may read what conf/shares.toml names.

    \b
    nextclick share recipient add acme --days 90
    nextclick share recipient list
    nextclick share recipient end acme
    """


@recipient.command("add")
@click.argument("name")
@click.option("--days", type=DAYS, default=90, show_default=True, help="Days for which the token opens anything.")
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


@click.command()
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
