"""`nextclick import`: history from files into the lake."""

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import msgspec

from collector.imports import files
from collector.imports.importer import Importer, ImportReport
from collector.imports.mapping import load
from nextclick.cli import common_options, json_option, print_json
from nextclick.locks import hold
from nextclick.settings import Settings


@click.command("import", short_help="Bring in history: CSV, TSV, JSON lines or Parquet, by a mapping.")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PATH…")
@click.option(
    "--mapping", "mapping_name", required=True, metavar="NAME|FILE", help="A mapping of conf/mappings, or a .toml file."
)
@click.option(
    "--kind", type=click.Choice(["events", "items"]), default="events", show_default=True, help="What a row is."
)
@click.option("--site", metavar="SITE", help="The site of rows that name none (default: the setting `site`).")
@click.option("--again", is_flag=True, help="Read files that were imported before once more.")
@json_option
@common_options
def import_(
    settings: Settings,
    paths: tuple[Path, ...],
    mapping_name: str,
    kind: str,
    site: str | None,
    again: bool,
    as_json: bool,
) -> None:
    """Bring history into the lake, from files or folders, plain or gzip.

    Rows that cannot be events go to quarantine with their reason. A file is imported once:
    calling again skips it, and goes on where an interrupted import stopped.

    \b
    nextclick import clicks.csv.gz --mapping globo
    nextclick import ml-25m --mapping movielens
    nextclick import ml-25m --mapping movielens --kind items
    nextclick import export.jsonl --mapping ./my-shop.toml --site shop

    docs/mappings.md teaches how to write a mapping in five minutes.
    """
    mapping = load(mapping_name, settings.conf_dir / "mappings")
    site = site or settings.site
    found = files.find(paths, mapping.records(kind))
    for path in found:
        files.check(path, mapping, mapping.records(kind))
    settings.lake.prepare()
    lock = re.sub(r"[^\w.-]+", "_", f"import.{mapping.name}.{kind}.{site}")
    with (
        hold(settings.lake.locks, lock, purpose=f"nextclick import --mapping {mapping.name}"),
        Importer(settings, mapping, kind, site) as importer,
        _progress_bar(sum(path.stat().st_size for path in found)) as tell,
    ):
        report = importer.run(found, again, tell)
    _show(report, as_json)


@contextmanager
def _progress_bar(total: int) -> Iterator[Callable[[int], None]]:
    """A bar over the bytes of history on stderr; none where stderr is no terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("import"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task("import", total=total)
        yield lambda done: progress.update(task, completed=done)


def _show(report: ImportReport, as_json: bool) -> None:
    for note in report.notes:
        click.echo(note, err=True)
    if as_json:
        print_json(msgspec.to_builtins(report))
        return
    rows = f"{report.files:,} files, {report.rows:,} rows: {report.accepted:,} accepted, {report.rejected:,} rejected"
    click.echo(f"{rows}, in {report.seconds:.1f} s")
    for reason, count in report.reasons.items():
        click.echo(f"  rejected as {reason}: {count:,}")
    if report.skipped:
        click.echo(f"{report.skipped:,} files skipped: they were imported before (--again imports them once more)")
