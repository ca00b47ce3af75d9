"""`nextclick quarantine`: what was rejected, why, and its replay; and events that a person takes out of silver."""

from datetime import UTC, datetime
from typing import Any

import click
import msgspec

from nextclick.command import common_options, json_option, print_json
from nextclick.errors import UsageError
from nextclick.lake.locks import hold
from nextclick.settings import Settings
from nextclick.visible import visible

_LINE = "{:<20}{:<18}{:<12}{:>10}{:>12}  {}"


@click.group("quarantine")
def quarantine() -> None:
    """What was rejected and why; what was mended is replayed down the normal path.

    \b
    nextclick quarantine list
    nextclick quarantine show --reason bad_type -n 3
    nextclick quarantine replay --reason too_large     after the limit was raised
    nextclick quarantine move --where "..." --by Ada --why "test shop"     events that should not be in silver

    Rejects appear here once a run has brought them into silver.quarantine.
    """


def _wanted(command: Any) -> Any:
    command = click.option("--reason", metavar="CODE", help="Only rejects of this reason.")(command)
    return click.option("--source", metavar="NAME", help="Only what this dialect or import sent.")(command)


@quarantine.command("list")
@_wanted
@json_option
@common_options
def list_(settings: Settings, reason: str | None, source: str | None, as_json: bool) -> None:
    """Count rejects by reason and source."""
    from collector.replay.replay import Wanted, counts

    rows = counts(settings, Wanted(reason=reason, source=source))
    if as_json:
        print_json(rows)
        return
    if not rows:
        click.echo("Nothing is in quarantine.")
        return
    click.echo(_LINE.format("reason", "source", "rejected by", "rejects", "replayable", "last"))
    for row in rows:
        click.echo(
            _LINE.format(
                visible(row["reason"]),
                visible(row["source"] or ""),
                row["origin"],
                row["rejects"],
                row["replayable"],
                row["last_at"],
            )
        )


@quarantine.command("show")
@click.argument("id", required=False)
@_wanted
@click.option("-n", "limit", type=click.IntRange(1, 10_000), default=5, show_default=True, help="At most so many.")
@json_option
@common_options
def show(settings: Settings, id: str | None, reason: str | None, source: str | None, limit: int, as_json: bool) -> None:
    """Show single rejects, newest first: message and payload; or the one with the ID that `show` prints."""
    from collector.replay.replay import Wanted, records

    rejects = records(settings, Wanted(reason=reason, source=source, id=id), limit)
    if as_json:
        print_json([msgspec.to_builtins(record) for record in rejects])
        return
    for record in rejects:
        at = datetime.fromtimestamp(record.received_at / 1000, UTC)
        source, reason, message = map(visible, (record.source, record.reason, record.message))
        click.echo(f"{visible(record.id)}\n  {at:%Y-%m-%d %H:%M:%S} UTC  {source}  {reason}: {message}")
        click.echo(f"  {record.payload!r}\n")
    if not rejects:
        click.echo("Nothing like that is in quarantine.")


@quarantine.command("replay")
@click.argument("id", required=False)
@_wanted
@click.option("--dry-run", is_flag=True, help="Say what would become of them, and change nothing.")
@json_option
@common_options
def replay(
    settings: Settings, id: str | None, reason: str | None, source: str | None, dry_run: bool, as_json: bool
) -> None:
    """Send rejects down the normal path again, each once, however often this is called.

    \b
    nextclick quarantine replay --reason too_large
    nextclick quarantine replay --source segment --dry-run

    What is still wrong stays where it is. Rows of an import are not replayed here: mend the mapping and call
    `nextclick import --again`, which adds nothing twice.
    """
    from collector.replay.replay import Wanted
    from collector.replay.replay import replay as replay_all

    with hold(settings.lake.own_locks, "replay", purpose="nextclick quarantine replay"):
        report = replay_all(settings, Wanted(reason=reason, source=source, id=id), dry_run)
    if as_json:
        print_json(msgspec.to_builtins(report))
        return
    would = "would be " if dry_run else ""
    click.echo(f"{report.replayed:,} {would}replayed; {report.before:,} were before")
    for reason_now, count in report.still_rejected.items():
        click.echo(f"{count:,} are still wrong: {reason_now}")
    if report.not_replayable:
        click.echo(f"{report.not_replayable:,} cannot be replayed: cut, damaged, a taken id, or rows of an import")


@quarantine.command("move")
@click.option("--id", "ids", multiple=True, metavar="EVENT_ID", help="The events of this event_id; may be said again.")
@click.option("--where", metavar="CONDITION", help="The events that this SQL condition on silver.events selects.")
@click.option("--by", metavar="NAME", help="Who takes them out.")
@click.option("--why", metavar="TEXT", help="Why.")
@click.option("--dry-run", is_flag=True, help="Say how many they are, and change nothing.")
@json_option
@common_options
def move(
    settings: Settings,
    ids: tuple[str, ...],
    where: str | None,
    by: str | None,
    why: str | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Take events out of silver, with who and why; the next run makes sessions and gold without them.

    \b
    nextclick quarantine move --where "visitor_id = 'load-test'" --dry-run
    nextclick quarantine move --where "price > 1e9" --by Ada --why "decimal comma lost by the till"
    nextclick quarantine move --id 01HV5K --id 01HV5M --by Ada --why "order of a test"
    nextclick quarantine replay --reason moved      they come in again with the next run

    They are rows of silver.quarantine with the reason `moved`, and stay out in a rebuild and when they are sent again.
    """
    if bool(ids) == (where is not None):
        raise UsageError("Name events: --id EVENT_ID, or --where CONDITION, one of the two.")
    if not dry_run and not (by and why):
        raise UsageError("Say who takes them out and why: --by NAME --why TEXT. --dry-run only counts.")
    from spark_jobs.moves import move as move_events

    report = move_events(settings, ids, where, by or "", why or "", dry_run)
    if as_json:
        print_json(msgspec.to_builtins(report))
        return
    span = f", from {report.first_at} to {report.last_at} UTC" if report.events else ""
    done = "would be moved" if dry_run else "moved to silver.quarantine"
    click.echo(f"{report.events:,} events of {report.visitors:,} visitors {done}{span}")
    if report.made_anew:
        click.echo(f"The next `nextclick run` makes anew without them: {', '.join(report.made_anew)}")
