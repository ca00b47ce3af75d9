"""`nextclick check`: the expectations of the tables, and the stops that follow from them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click
import msgspec
from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from cli.parts.console_table import stdout_console
from expectations import runner, stops
from expectations.results import Result
from nextclick.command import common_options, json_option, print_json
from nextclick.errors import CheckStopped, UsageError
from nextclick.settings import Settings
from nextclick.visible import visible

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@click.command("check")
@click.argument("tables", nargs=-1, metavar="[TABLE]…")
@click.option("--all-rows", is_flag=True, help="Look at every row, not only at those new since the last check.")
@click.option("--stops", "show_stops", is_flag=True, help="Only list the stops that stand; nothing is checked.")
@click.option("--override", metavar="TABLE", help="Lift the stops of this table's checked version.")
@click.option(
    "--sample", type=click.FloatRange(0, 1, min_open=True), default=1.0, help="features: this share of all profiles."
)
@click.option("--by", metavar="NAME", default="", help="Who lifts them.")
@click.option("--why", metavar="TEXT", default="", help="Why.")
@json_option
@common_options
def check(
    settings: Settings,
    tables: tuple[str, ...],
    all_rows: bool,
    show_stops: bool,
    override: str | None,
    sample: float,
    by: str,
    why: str,
    as_json: bool,
) -> None:
    """Check what changed in TABLEs (default: all) since it was last checked.

    A failure of severity `warn` is recorded and shown. One of severity `stop` ends this call
    with exit code 3, and work that reads the table, or what is made from it, is refused until
    a newer version passes or a person overrides it by name. See docs/jobs/check.md. The word
    `features` alone checks the live profiles: see docs/live-profile.md.

    \b
    nextclick check                             what changed, in all tables
    nextclick check silver.sessions --all-rows  every row of one
    nextclick check --stops                     what is refused, and why
    nextclick check --override silver.events --by Ada --why "lost disk, restored by hand"
    nextclick check features --sample 0.1       live profiles against those made anew from the tables
    nextclick check --json | jq '.results[] | select(.success | not)'
    """
    if tables == ("features",):
        _features(settings, sample, as_json)
        return
    if override and (tables or all_rows or show_stops):
        raise UsageError("--override TABLE goes with --by NAME and --why TEXT alone; it checks nothing.")
    if override:
        results = stops.override(settings, override, by, why)
    elif show_stops:
        results = stops.open_stops(settings)
    else:
        results = _look(settings, tables, all_rows)
    standing = [stop for stop in stops.open_stops(settings) if not tables or stop.table_name in tables]
    if as_json:
        print_json({"results": msgspec.to_builtins(results), "stops": msgspec.to_builtins(standing)})
    else:
        _show(results, "No stop stands." if show_stops else "No table changed since it was last checked.")
    if standing and not (override or show_stops):
        raise CheckStopped(stops.message(standing))


def _features(settings: Settings, sample: float, as_json: bool) -> None:
    """Compare, and say what differs."""
    from expectations.measures import live_profiles

    result = live_profiles.run(settings, sample)
    if as_json:
        print_json(msgspec.to_builtins(result))
        return
    click.echo(f"{result.profiles:,} live profiles compared, {result.differ:,} differ ({result.share:.2%}).")
    for name in result.named:
        click.echo(f"  {visible(name)}")
    if result.differ:
        click.echo("What came after the last `nextclick run`, or waits to be merged, differs until both have it.")


def _look(settings: Settings, tables: tuple[str, ...], all_rows: bool) -> list[Result]:
    """Check, with a line on stderr that says where it is."""
    with Console(stderr=True).status("checking") as line:

        def progress(table: str, done: int, total: int) -> None:
            line.update(f"checking {table} ({done + 1} of {total})")

        return runner.run(lambda: _session(settings), settings, tables or None, all_rows, progress)


def _session(settings: Settings) -> "SparkSession":
    from spark_jobs.session import open_session

    return open_session(settings, "nextclick check")


def _show(results: Sequence[Result], nothing: str) -> None:
    """One line a table, and one for each failure."""
    console = stdout_console()
    if not results:
        console.print(nothing)
        return
    grid = Grid("table", "version", "rows", "expectation", "result", "seen")
    for table in dict.fromkeys(result.table_name for result in results):
        of_table = [result for result in results if result.table_name == table]
        held = sum(result.success for result in of_table)
        scope = "all" if all(result.scope == "all" for result in of_table) else "new"
        version = str(of_table[0].table_version)
        if held:
            grid.add_row(table, version, scope, f"{held} of {len(of_table)}", "hold", "")
        for failure in (result for result in of_table if not result.success):
            grid.add_row(
                table,
                version,
                failure.scope,
                failure.expectation,
                _word(failure),
                Text(visible(failure.observed or "")),
            )
    console.print(grid)


def _word(failure: Result) -> Text:
    if failure.kind == "override":
        return Text(f"overridden by {visible(failure.actor)}", "yellow")
    return Text(failure.severity, "red" if failure.stops else "yellow")
