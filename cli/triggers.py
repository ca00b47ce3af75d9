"""`nextclick triggers`: what is sent to people by itself."""

import asyncio
import logging
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import click
import msgspec

from nextclick.command import common_options, json_option, print_json
from nextclick.errors import UsageError
from nextclick.settings import Settings
from nextclick.visible import visible

_REPLAY_HOURS = 24
"""In which a replayed webhook may still be sent."""


@click.command("triggers")
@click.option("--once", is_flag=True, help="Look, send and log once; then end.")
@click.option("--list", "lists", is_flag=True, help="The triggers that there are, and what was decided.")
@click.option("--dead", is_flag=True, help="The dead letters: webhooks that were given up.")
@click.option("--replay", metavar="ID", help="Let this dead letter be sent again; `all`: every one.")
@json_option
@common_options
def triggers(settings: Settings, once: bool, lists: bool, dead: bool, replay: str | None, as_json: bool) -> None:
    """Send webhooks when a cart is left, a person stays away, a price drops, by conf/triggers/, until stopped.

    \b
    nextclick triggers --list
    nextclick triggers                         beside `nextclick stream`, until Ctrl-C or SIGTERM
    nextclick triggers --once --json           after a nightly run, from cron
    nextclick triggers --dead
    nextclick triggers --replay all            once the receiver works again

    NEXTCLICK_TRIGGERS__URL and NEXTCLICK_TRIGGERS__SECRET name the receiver. A webhook may arrive twice, always
    with the same webhook-id. Several workers may run: on one machine they share the work, of a lake in an object
    store one machine at a time has its turn, and the others stand by. docs/triggers.md has the rest.
    """
    if sum((once, lists, dead, replay is not None)) > 1:
        raise UsageError("--once, --list, --dead and --replay exclude each other: choose one.")
    logging.basicConfig(level=logging.WARNING, format="nextclick: %(message)s", stream=sys.stderr)
    if lists:
        _list(settings, as_json)
    elif dead:
        _dead(settings, as_json)
    elif replay is not None:
        _replay(settings, replay, as_json)
    else:
        asyncio.run(_work(settings, once, as_json))


async def _work(settings: Settings, once: bool, as_json: bool) -> None:
    from triggers.definition import load
    from triggers.outbox.outbox import Outbox
    from triggers.receiver import Receiver
    from triggers.worker import TriggerReport, TriggerWorker

    def tell(report: TriggerReport) -> None:
        if as_json:
            print_json(msgspec.to_builtins(report))
        else:
            counts = ", ".join(f"{count:,} {outcome}" for outcome, count in report.decided.items()) or "nothing new"
            click.echo(f"decided: {counts}; webhooks tried: {report.tried:,}; into the landing log: {report.logged:,}")

    chosen = load(settings.conf_dir / "triggers")
    enabled = [trigger.name for trigger in chosen if trigger.enabled]
    if not enabled:
        raise UsageError(
            f"No trigger of {settings.conf_dir / 'triggers'} is on: set `enabled = true` in one (docs/triggers.md)."
        )
    async with Receiver(settings.triggers) as receiver:
        worker = TriggerWorker(settings, chosen, Outbox.of(settings.lake), receiver)
        if once:
            tell(await worker.once())
            return
        click.echo(f"triggers of {settings.lake.data}: {', '.join(enabled)}; stop with Ctrl-C", err=True)
        await worker.run(tell)
        click.echo("stopped; what waits is sent at the next start", err=True)


def _list(settings: Settings, as_json: bool) -> None:
    from triggers.definition import load
    from triggers.outbox.turn import looked_at

    outbox = looked_at(settings.lake)
    counts = outbox.counts() if outbox else {}
    rows: list[dict[str, Any]] = [
        {
            "name": each.name,
            "kind": type(each.when).__struct_config__.tag,
            "enabled": each.enabled,
            "decided": counts.get(each.name, {}),
        }
        for each in load(settings.conf_dir / "triggers")
    ]
    if as_json:
        print_json(rows)
        return
    for row in rows:
        decided = (
            ", ".join(f"{count:,} {outcome}" for outcome, count in row["decided"].items()) or "nothing decided yet"
        )
        click.echo(f"{row['name']:<24}{row['kind']:<16}{'on' if row['enabled'] else 'off':<5}{decided}")
    if not rows:
        click.echo(f"No trigger is in {settings.conf_dir / 'triggers'}; docs/triggers.md shows one.")


def _dead(settings: Settings, as_json: bool) -> None:
    from triggers.outbox.schema import moment
    from triggers.outbox.turn import looked_at

    outbox = looked_at(settings.lake)
    letters = outbox.dead() if outbox else []
    if as_json:
        shown = ("id", "trigger", "site", "person_id", "ended_at", "error", "tries")
        print_json([{name: getattr(letter, name) for name in shown} for letter in letters])
        return
    for letter in letters:
        at = moment(letter.ended_at or 0)
        click.echo(
            f"{letter.id}  {at:%Y-%m-%d %H:%M:%S} UTC  {letter.trigger}  {visible(letter.person_id)}  {letter.error}"
        )
    if not letters:
        click.echo("No dead letters.")


def _replay(settings: Settings, wanted: str, as_json: bool) -> None:
    from triggers.outbox import turn
    from triggers.outbox.schema import ms

    outbox, now = turn.looked_at(settings.lake), datetime.now(UTC)
    ids = [letter.id for letter in outbox.dead() if wanted in ("all", letter.id)] if outbox else []
    if not ids and wanted != "all":
        raise UsageError(f"There is no dead letter {wanted}: `nextclick triggers --dead` lists them.")
    until = ms(now + timedelta(hours=_REPLAY_HOURS))
    count = turn.replay(settings.lake, outbox, ids, ms(now), until) if outbox else 0
    if as_json:
        print_json({"replayed": count})
    else:
        click.echo(f"{count:,} to be sent again by `nextclick triggers`.")
