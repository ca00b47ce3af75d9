"""`nextclick share TARGET`: a copy of gold and the reports where other tools read it."""

from functools import partial

import click

from cli.parts.progress import progress_bars
from nextclick.command import common_options, json_option, print_json
from nextclick.settings import Settings
from nextclick.visible import visible


class CopyByDefault(click.Group):
    """A group whose calls without a subcommand are calls of `copy`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in {*self.commands, *ctx.help_option_names}:
            args = ["copy", *args]
        return super().parse_args(ctx, args)


@click.command("copy")
@click.argument("target")
@click.option("--only", metavar="PATTERN", multiple=True, help="Tables like this, such as gold.visits or 'report.*'.")
@json_option
@common_options
def copy(settings: Settings, target: str, only: tuple[str, ...], as_json: bool) -> None:
    """Copy gold and the reports to FILE.duckdb or postgresql://USER@HOST/DATABASE; `copy` may be left out.

    \b
    nextclick share shop.duckdb                               for DuckDB, notebooks, DBeaver, Superset
    nextclick share postgresql://shop@db.example/bi           for everything else
    nextclick share shop.duckdb --only 'report.*' --only gold.visits
    nextclick share postgresql:///bi --json

    A file is written aside and takes the place of the former one. In PostgreSQL only what changed since the last
    time is written, in one transaction: readers see the former state or the new one, and report.shared says which.
    The password is in ~/.pgpass or in PGPASSWORD. docs/bi.md says how each tool connects.
    """
    from analytics import copies

    with progress_bars() as progress:
        written = copies.write(settings, target, only or ("*",), partial(progress, "tables"))
    if as_json:
        print_json({"target": target, "written": [table._asdict() for table in written]})
        return
    for table in written:
        click.echo(f"  {table.table:<34} {table.said}")
    click.echo(f"{visible(target)}: " + (f"{len(written)} tables written." if written else "nothing had changed."))
