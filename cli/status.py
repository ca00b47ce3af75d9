"""`nextclick status`: what is in the lake, whether every event is accounted for, what is served. No JVM."""

from collections import Counter
from typing import Any

import click
import msgspec
from rich.console import Console, Group
from rich.table import Table as Grid
from rich.text import Text

from ml.anomalies import table as anomalies
from nextclick.command import common_options, json_option, print_json
from nextclick.lake.paths import Lake, open_to_others
from nextclick.lake.table_state import TableState, table_states
from nextclick.reconciliation import Reconciliation, reconcile
from nextclick.settings import Settings
from nextclick.visible import visible


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """What `nextclick status --json` prints; scripts rely on these names."""

    tables: dict[str, TableState]
    """All tables of the catalog; one that was never written has no rows and no version."""
    reconciliation: Reconciliation
    champion: dict[str, Any] | None
    """name, version and metrics; None while no model has passed the gate."""
    gate: list[str]
    """Why the last model that was trained did not pass; empty if it did."""
    export: dict[str, Any] | None
    """version, people and exported_at of the key-value table; None before the first export."""
    anomalies: dict[str, int] | None
    """How many of each kind are open (gold.anomalies); None before anybody looked."""
    warnings: list[str]
    """What should be mended, though everything works."""


def look(settings: Settings) -> Status:
    """The lake as it stands now."""
    from ml.registry import champion
    from serving.export import export

    attempt = champion.model_status(settings.lake).attempt
    standing = anomalies.read(settings.lake)
    return Status(
        tables=table_states(settings.lake),
        reconciliation=reconcile(settings),
        champion=champion.facts(settings.lake),
        gate=attempt.reasons if attempt else [],
        export=export.current(settings),
        anomalies=None if standing is None else dict(Counter(one.kind for one in standing)),
        warnings=list(filter(None, [_missing(settings.lake), open_to_others(settings.lake)])),
    )


def _missing(lake: Lake) -> str | None:
    """That a lake is not there, which may be a slip of the pen in its name."""
    if lake.address or lake.root.is_dir():
        return None
    return f"There is no lake in {lake.root} yet: what takes events in, such as `nextclick import`, makes one."


@click.command("status")
@json_option
@common_options
def status(settings: Settings, as_json: bool) -> None:
    """What is in the lake, whether every event is accounted for, and what is served.

    \b
    nextclick status
    nextclick status --json | jq .reconciliation.residual

    Every accepted event is in exactly one of silver, quarantined and duplicates; the residual
    counts those that are in none, and must be 0. `waiting` is what the steps have not taken yet.
    """
    seen = look(settings)
    if as_json:
        print_json(msgspec.to_builtins(seen))
        return
    Console().print(Group(_tables(seen), Text(), _events(seen.reconciliation), Text(), _served(seen), _warnings(seen)))


def _tables(seen: Status) -> Grid:
    grid = Grid("table", "rows", "version", "updated (UTC)")
    grid.columns[1].justify = grid.columns[2].justify = "right"
    for name, state in seen.tables.items():
        if state.version is None or state.updated_at is None:
            grid.add_row(name, "", "", "never written", style="dim")
        else:
            grid.add_row(name, f"{state.rows:,}", str(state.version), f"{state.updated_at:%Y-%m-%d %H:%M:%S}")
    return grid


def _events(counts: Reconciliation) -> Text:
    """The account in a line or two; what must not be is red."""
    text = Text(
        f"accepted {counts.accepted:,} = silver {counts.silver:,} + quarantined {counts.quarantined:,} "
        f"+ duplicates {counts.duplicates:,} + residual {counts.residual:,}"
    )
    text.append(f"\nrejected at the door {counts.rejected:,}, waiting {counts.waiting:,}")
    wrong = {name: getattr(counts, name) for name in ("residual", "double_counted", "missing", "unexpected")}
    for name, count in wrong.items():
        if count:
            text.append(f"\n{name} {count:,}: it must be 0; see docs/jobs/recovery.md", style="bold red")
    return text


def _warnings(seen: Status) -> Text:
    return Text("".join(f"\n{warning}" for warning in seen.warnings), style="yellow")


def _served(seen: Status) -> Text:
    champion, export = seen.champion, seen.export
    text = Text("champion: ")
    text.append(f"{champion['name']} version {champion['version']}" if champion else "none")
    if champion:
        text.append("".join(f"\n    {name} {value:.4g}" for name, value in sorted(champion["metrics"].items())))
    text.append(
        "".join(f"\n    the last model did not pass: {visible(reason)}" for reason in seen.gate), style="yellow"
    )
    text.append("\nexport:   ")
    facts = "version {version}, {people:,} people, {exported_at}"
    text.append(facts.format_map(export) if export else "none; `nextclick run` makes one")
    text.append("\nunusual:  ")
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in (seen.anomalies or {}).items())
    text.append(f"{kinds}: see `nextclick anomalies`", style="yellow") if kinds else text.append(
        "nobody looked yet" if seen.anomalies is None else "nothing"
    )
    return text
