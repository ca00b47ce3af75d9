"""`nextclick import`: history and figures from files into the lake."""

import re
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import click
import msgspec

from collector.access_logs.follow import follow_files
from collector.access_logs.formats import NAMES
from collector.access_logs.reading import LogReading
from collector.imports.figures.importer import FigureImport, FigureReport
from collector.imports.importer import Importer, ImportReport
from collector.imports.mapping import FIGURES, KINDS, load
from collector.imports.reading import MappedReading, Reading
from nextclick.command import common_options, json_option, print_json
from nextclick.contracts.events import derived_id
from nextclick.errors import UsageError
from nextclick.lake.locks import hold
from nextclick.settings import Settings
from nextclick.visible import visible

_STOPS: Final = (signal.SIGTERM, signal.SIGINT)
_AGAIN: Final = "Costs and market are read anew by every import: leave out --again."
_SKIP_BAD: Final = (
    "--skip-bad is for costs and market: of events the rows that cannot be read go to quarantine. Leave it out."
)


@click.command("import", short_help="Bring in history and costs: CSV, JSON, Parquet by a mapping; access logs.")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PATH…")
@click.option("--mapping", "mapping_name", metavar="NAME|FILE", help="A mapping of conf/mappings, or a .toml file.")
@click.option(
    "--format", "format_name", metavar="auto|NAME|FORMAT",
    help=f"The files are access logs: auto recognizes them, or one of {', '.join(NAMES[1:])}; or what the server's configuration says: "
    "its log_format (nginx) or LogFormat (Apache).",
)  # fmt: skip
@click.option("--follow", is_flag=True, help="With --format: stay, and take what the logs' server adds, until stopped.")
@click.option(
    "--kind", type=click.Choice(KINDS), help="What a row is (default: the first of these that the mapping has)."
)
@click.option("--site", metavar="SITE", help="The site of rows that name none (default: the setting `site`).")
@click.option("--again", is_flag=True, help="Read files that were imported before once more.")
@click.option(
    "--skip-bad", is_flag=True, help="Of costs or market: leave out rows that cannot be read, and write the others."
)
@json_option
@common_options
def import_(
    settings: Settings,
    paths: tuple[Path, ...],
    mapping_name: str | None,
    format_name: str | None,
    follow: bool,
    kind: str | None,
    site: str | None,
    again: bool,
    skip_bad: bool,
    as_json: bool,
) -> None:
    """Bring history into the lake, from files or folders, plain or packed (gzip, bzip2, xz, zstd).

    Rows that cannot be events go to quarantine with their reason; a field that cannot be read
    costs itself alone, and stays as a property. A file is imported once:
    calling again skips it, and goes on where an interrupted import stopped.

    Of what networks say of campaigns (costs) and panels of sites (market) a file replaces the days
    and accounts that it names; where a row cannot be read, nothing is written.

    \b
    nextclick import clicks.csv.gz --mapping globo
    nextclick import ml-25m --mapping movielens
    nextclick import ml-25m --mapping movielens --kind items
    nextclick import export.jsonl --mapping ./my-shop.toml --site shop
    nextclick import "Campaign report.csv" --mapping google_ads --site shop
    nextclick import Ads-Nov-2026.csv --mapping meta_ads --site shop
    nextclick import --format auto access.log access.log.1.gz
    nextclick import --format auto --follow /var/log/nginx/access.log
    nextclick import --format '$remote_addr|$time_iso8601|$request_uri|$status' custom.log

    docs/mappings.md teaches how to write a mapping in five minutes; docs/access-logs.md tells of access logs.
    """
    _check(mapping_name, format_name, follow, kind, again, skip_bad)
    site = site or settings.site
    if format_name is not None:
        logs = LogReading(settings, format_name, site)
        _show(_follow(settings, logs, paths) if follow else _logs(settings, logs, paths, again), as_json)
        return
    mapping = load(str(mapping_name), settings.conf_dir / "mappings")
    kind = kind or mapping.kinds[0]
    if (kind in FIGURES and again) or (kind not in FIGURES and skip_bad):
        raise UsageError(_AGAIN if again else _SKIP_BAD)
    if kind in FIGURES:
        _show_figures(_figures(settings, FigureImport(settings, mapping, kind, site), paths, skip_bad), as_json)
        return
    rows = MappedReading(settings, mapping, kind, site)
    _show(_import(settings, rows, f"{mapping.name}.{kind}.{site}", rows.find(paths), again), as_json)


def _check(
    mapping: str | None, format: str | None, follow: bool, kind: str | None, again: bool, skip_bad: bool
) -> None:
    if (mapping is None) == (format is None):
        raise UsageError("Say what the files are: rows by --mapping NAME|FILE, or access logs by --format auto.")
    if follow and (format is None or again):
        raise UsageError("--follow goes with --format, and always goes on where it stopped: without --again.")
    if format is not None and kind not in (None, "events"):
        raise UsageError("Access logs hold events: leave out --kind.")
    if format is not None and skip_bad:
        raise UsageError(_SKIP_BAD)


def _logs(settings: Settings, reading: LogReading, paths: tuple[Path, ...], again: bool) -> ImportReport:
    files = reading.find(paths)
    for path in files:
        if notice := reading.described(path):
            click.echo(visible(notice), err=True)
    return _import(settings, reading, f"log.{reading.site}", files, again)


def _import(settings: Settings, reading: Reading, name: str, files: list[Path], again: bool) -> ImportReport:
    settings.lake.prepare()
    with (
        hold(settings.lake.own_locks, _lock(f"import.{name}"), purpose=f"nextclick import ({name})"),
        Importer(settings, reading) as importer,
        _progress_bar(sum(path.stat().st_size for path in files)) as tell,
    ):
        return importer.run(files, again, tell)


def _figures(settings: Settings, figures: FigureImport, paths: tuple[Path, ...], skip_bad: bool) -> FigureReport:
    settings.lake.prepare()
    files = figures.find(paths)
    with _progress_bar(sum(path.stat().st_size for path in files)) as tell:
        return figures.run(files, skip_bad, tell)


def _follow(settings: Settings, reading: LogReading, paths: tuple[Path, ...]) -> ImportReport:
    settings.lake.prepare()
    names = sorted({f"import.follow.{derived_id(reading.site, path.absolute())}" for path in paths})
    with (
        hold(settings.lake.own_locks, *names, purpose="nextclick import --follow"),
        Importer(settings, reading) as importer,
        _stopping() as stopped,
    ):
        return follow_files(
            settings, importer, reading, paths, stopped, lambda notice: click.echo(visible(notice), err=True)
        )


def _lock(name: str) -> str:
    return re.sub(r"[^\w.-]+", "_", name)


@contextmanager
def _stopping() -> Iterator[Callable[[], bool]]:
    """SIGTERM and SIGINT set what is asked here, instead of ending the process."""
    signals: list[int] = []
    before = {number: signal.signal(number, lambda got, _: signals.append(got)) for number in _STOPS}
    try:
        yield lambda: bool(signals)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


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
        click.echo(visible(note), err=True)
    if as_json:
        print_json(msgspec.to_builtins(report))
        return
    rows = f"{report.files:,} files, {report.rows:,} rows: {report.accepted:,} accepted, {report.rejected:,} rejected"
    click.echo(f"{rows}, in {report.seconds:.1f} s")
    for reason, count in report.reasons.items():
        click.echo(f"  rejected as {reason}: {count:,}")
    if report.skipped:
        click.echo(f"{report.skipped:,} files skipped: they were imported before (--again imports them once more)")


def _show_figures(report: FigureReport, as_json: bool) -> None:
    if as_json:
        print_json(msgspec.to_builtins(report))
        return
    for reject in report.rejects:
        click.echo(visible(f"left out: {reject}"), err=True)
    sums = f", {report.sums:,} sums left out" if report.sums else ""
    rows = f"{report.files:,} files, {report.rows:,} rows: {report.accepted:,} accepted{sums}, {report.rejected:,} rejected"
    click.echo(f"{rows}, in {report.seconds:.1f} s")
    if report.days:
        click.echo(
            f"{report.table}: {report.written:,} rows of {report.days:,} days, in the place of {report.replaced:,}"
        )
    else:
        click.echo(f"{report.table}: nothing new")
