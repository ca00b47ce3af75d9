"""`nextclick rollback`: an earlier version of the lists is served again."""

from typing import Any

import click

from cli.parts.console_table import show
from nextclick.command import common_options, json_option, print_json
from nextclick.errors import ModelError
from nextclick.settings import Settings


@click.command("rollback")
@common_options
@click.option("--to", type=click.IntRange(min=1), metavar="VERSION", help="Serve this one (default: the one before).")
@click.option("--list", "only_list", is_flag=True, help="Show the versions, change nothing.")
@json_option
def rollback(settings: Settings, to: int | None, only_list: bool, as_json: bool) -> None:
    """Return to the export before the current one: its lists, its model as champion, its cursor for updates.

    \b
    nextclick rollback --list           the versions that are there
    nextclick rollback                  the one before the current one
    nextclick rollback --to 12
    """
    from serving.export import export as serving

    if not only_list:
        from ml.jobs import rollback as going_back

        wanted = serving.rollback_target(settings, to)
        try:
            going_back.run(settings, wanted.lists)
        except ModelError:  # people are served what was asked for, even where gold cannot follow
            serving.rollback(settings, wanted.version)
            raise
        serving.rollback(settings, wanted.version)  # last, so that an interrupted call can be repeated
    versions = serving.versions(settings)
    if as_json:
        current = next((entry["version"] for entry in versions if entry["current"]), None)
        print_json({"version": current, "versions": versions})
        return
    if not only_list:
        click.echo(f"Version {wanted.version} is served now (model {wanted.lists.model_version}).")
    _show(versions)


def _show(versions: list[dict[str, Any]]) -> None:
    """The versions of the key-value table as a table."""
    columns = ("version", "current", "people", "model_version", "exported_at")
    show(columns, [[_text(entry[name]) for name in columns] for entry in versions])


def _text(value: object) -> str:
    return ("•" if value else "") if isinstance(value, bool) else f"{value:,}" if isinstance(value, int) else str(value)
