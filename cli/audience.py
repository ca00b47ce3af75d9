"""`nextclick audience`: who belongs where."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click
import msgspec

from cli.parts.console_table import show
from nextclick.command import common_options, json_option, print_json
from nextclick.errors import UsageError
from nextclick.settings import Settings
from nextclick.visible import visible

if TYPE_CHECKING:
    from analytics.audiences.question import AudienceSize, Explained

_VERDICTS = {True: "yes", False: "no", None: "not known"}


@click.command("audience")
@click.argument("name", required=False)
@click.option("--size", is_flag=True, help="How many belong (this is what a NAME alone says, too).")
@click.option(
    "--at",
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]),
    help="With --size: as of then (UTC), by the tables, also where it is off.",
)
@click.option("--who", is_flag=True, help="Who belongs, those who came last first.")
@click.option("--explain", metavar="VISITOR", help="Whether this visitor belongs now, condition by condition.")
@click.option("--user", is_flag=True, help="What --explain names is a user, not a visitor.")
@click.option("-n", type=click.IntRange(1, 1_000_000), default=20, show_default=True, help="Rows of --who.")
@json_option
@common_options
def audience(
    settings: Settings,
    name: str | None,
    size: bool,
    at: datetime | None,
    who: bool,
    explain: str | None,
    user: bool,
    n: int,
    as_json: bool,
) -> None:
    """Audiences: those who meet a condition of conf/audiences/NAME.toml; without NAME, which there are.

    \b
    nextclick audience
    nextclick audience lookers --size --json
    nextclick audience lookers --size --at 2026-06-15
    nextclick audience lookers --who -n 100
    nextclick audience lookers --explain v1
    nextclick audience regulars --explain 4242 --user

    --size and --who say what the nightly job last saw (gold.audience_members); --explain looks now, at the tables and the live
    profile. docs/audiences.md shows the form.
    """
    if size + who + (explain is not None) > 1:
        raise UsageError("--size, --who and --explain are three questions: choose one.")
    if name is None and (size or who or explain is not None):
        raise UsageError("Name an audience: `nextclick audience` lists them.")
    if user and explain is None:
        raise UsageError("--user says whose id --explain names: add --explain ID.")
    if at and (name is None or not size):
        raise UsageError("--at is of --size: `nextclick audience NAME --size --at 2026-06-15`.")
    if name is not None and at:
        _size_at(settings, name, at.replace(tzinfo=UTC), as_json)
    elif name is not None and explain is not None:
        _explain(settings, name, explain, user, as_json)
    elif name is not None and who:
        _who(settings, name, n, as_json)
    else:
        _sizes(settings, name, as_json)


def _sizes(settings: Settings, name: str | None, as_json: bool) -> None:
    from analytics.audiences.question import sizes

    rows = sizes(settings, name)
    if as_json:
        shown = msgspec.to_builtins(rows)
        print_json(shown[0] if name else shown)
    elif rows:
        show(("audience", "meaning", "site", "seen", "visitors", "users"), map(_row, rows))
    else:
        click.echo(
            f"No audience is set up: {settings.conf_dir / 'audiences'} has none. docs/audiences.md shows the form."
        )


def _size_at(settings: Settings, name: str, at: datetime, as_json: bool) -> None:
    from analytics.audiences.question import size_at

    then = size_at(settings, name, at)
    if as_json:
        print_json(msgspec.to_builtins(then))
    else:
        click.echo(f"{name} at {at:%Y-%m-%d %H:%M:%S} UTC: {then.visitors:,} visitors, {then.users:,} users")


def _row(one: "AudienceSize") -> list[str]:
    seen = "off" if one.off else "at every event" if one.live else "nightly"
    return [one.name, one.meaning, one.site or "each", seen, f"{one.visitors:,}", f"{one.users:,}"]


def _who(settings: Settings, name: str, n: int, as_json: bool) -> None:
    from analytics.audiences.question import who

    rows = who(settings, name, n)
    if as_json:
        print_json(msgspec.to_builtins(rows))
    elif rows:
        show(
            ("site", "who", "id", "since"),
            [(one.site, one.kind, one.id, f"{one.since:%Y-%m-%d %H:%M:%S}") for one in rows],
        )
    else:
        click.echo(f"Nobody belonged to {name} when the step `audiences` of `nextclick run` last looked.")


def _explain(settings: Settings, name: str, subject: str, user: bool, as_json: bool) -> None:
    from analytics.audiences.question import explained
    from nextclick.audiences.standing import Subject

    result = explained(settings, name, Subject(settings.site, "user" if user else "visitor", subject))
    if as_json:
        print_json(msgspec.to_builtins(result) | {"conditions": [one._asdict() for one in result.conditions]})
        return
    click.echo(visible(_verdict(result)))
    show(
        ("condition", "now", "holds"),
        [
            (one.condition, "" if one.value is None else f"{one.value}", _VERDICTS[one.holds])
            for one in result.conditions
        ],
    )


def _verdict(result: "Explained") -> str:
    whether = {
        True: "belongs",
        False: "does not belong",
        None: "may belong (what is known does not reach back far enough)",
    }
    return f"The {result.kind} {result.id} {whether[result.belongs]} to {result.audience} now."
