"""nextclick export | recommend."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
import msgspec

from nextclick.cli import common_options, json_option, print_json
from nextclick.errors import UsageError
from nextclick.settings import Settings
from serving.console_table import show
from serving.export.export import Progress, quiet
from serving.recommend import Answer


@click.command(epilog="Example: nextclick --lake shop export")
@common_options
@click.option("--full", is_flag=True, help="Write every list anew, even if the newest ones are served.")
@json_option
def export(settings: Settings, full: bool, as_json: bool) -> None:
    """Bring the newest lists of gold into the key-value table.

    What is served changes in one step, when the new version is complete and checked.
    """
    from serving.export.export import run

    with _bar() as progress:
        report = run(settings, progress, full)
    if as_json:
        print_json(msgspec.to_builtins(report))
        return
    facts = report.details
    click.echo(
        f"Version {facts['version']} is served ({facts['kind']}): lists of {facts['people']:,} people from model "
        f"{facts['model_version']}, in {report.seconds:.1f} s."
    )
    if facts["newest"] != facts["version"]:
        click.echo(
            f"The lists in gold are version {facts['newest']}, which was rolled back. "
            f"`nextclick rollback --to {facts['newest']}` serves it again; newer lists will be served as they come."
        )


@click.command(epilog="Examples: nextclick recommend 42 -n 10 --json · nextclick recommend --similar sku-7")
@common_options
@click.argument("person", required=False)
@click.option("-n", "n", type=click.IntRange(min=1), default=10, show_default=True, help="Length of the list.")
@click.option("--similar", metavar="ITEM", help="What resembles this item, instead of what suits a person.")
@json_option
def recommend(settings: Settings, person: str | None, n: int, similar: str | None, as_json: bool) -> None:
    """What to show PERSON next; people without a list of their own get the popular one, and are told so."""
    from serving.recommend import lookup
    from serving.recommend import similar as lookup_similar

    if (person is None) == (similar is None):
        raise UsageError(
            "Name a PERSON, or an item with --similar: one of the two. `nextclick recommend --help` has examples."
        )
    answer = lookup_similar(settings, similar, n) if similar is not None else lookup(settings, str(person), n)
    if as_json:
        print_json(msgspec.to_builtins(answer))
    else:
        _show(answer)


def show_versions(found: list[dict[str, Any]]) -> None:
    """The versions of the key-value table as a table."""
    columns = ("version", "current", "people", "model_version", "exported_at")
    show(columns, [[_text(entry[name]) for name in columns] for entry in found])


def _show(answer: Answer) -> None:
    if answer.source == "popular":
        subject = answer.person_id if answer.person_id is not None else answer.item_id
        click.echo(f"There is no list for {subject} yet: this is what everybody likes.")
    show(("rank", "item", "score"), [[str(item.rank), item.item_id, f"{item.score:.4f}"] for item in answer.items])
    click.echo(f"source {answer.source}, model {answer.model_version}")


def _text(value: object) -> str:
    return ("•" if value else "") if isinstance(value, bool) else f"{value:,}" if isinstance(value, int) else str(value)


@contextmanager
def _bar() -> Iterator[Progress]:
    """A progress bar on stderr, where people look."""
    from rich.console import Console
    from rich.progress import Progress as Bar

    console = Console(stderr=True)
    if not console.is_terminal:
        yield quiet
        return
    with Bar(console=console, transient=True) as bar:
        task: Any = bar.add_task("lists", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
