"""Where the demo calls the steps in its own process: the imports of the catalogue and of costs, and the path."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from threading import Thread

from rich.console import Console

from collector.imports.figures.importer import FigureImport, FigureReport
from collector.imports.importer import Importer, ImportReport
from collector.imports.mapping import load
from collector.imports.reading import MappedReading
from nextclick.errors import NextclickError
from nextclick.lake.locks import hold
from nextclick.settings import Settings
from spark_jobs.session import open_session

_SLOW_TO_IMPORT = ("ml.registry.tracking", "demo.outcome.lake_facts")
"""No more than imported: Alembic, by which MLflow makes its tables, serves one at a time, and Dagster's are made meanwhile."""


@contextmanager
def spark_starting(settings: Settings) -> Iterator[None]:
    """Spark starts while the body runs; its JVM is a process of its own, so the two overlap."""
    with ThreadPoolExecutor(1) as beside:
        starting = beside.submit(open_session, settings, "demo")
        yield
        import_module("orchestration.definitions")
        starting.result()


def import_items(settings: Settings, file: Path) -> ImportReport:
    """`nextclick import FILE --mapping plain --kind items`."""
    mapping = load("plain", settings.conf_dir / "mappings")
    reading = MappedReading(settings, mapping, "items", settings.site)
    settings.lake.prepare()
    with (
        hold(settings.lake.own_locks, f"import.{mapping.name}.items.{settings.site}", purpose="demo"),
        Importer(settings, reading) as importer,
    ):
        return importer.run([file], again=False, tell=lambda _: None)


def import_costs(settings: Settings, file: Path) -> FigureReport:
    """`nextclick import FILE --mapping costs`."""
    mapping = load("costs", settings.conf_dir / "mappings")
    return FigureImport(settings, mapping, "costs", settings.site).run([file], skip_bad=False, tell=lambda _: None)


def walk(settings: Settings, console: Console) -> None:
    """The nightly job, in this process, recorded by Dagster in the lake: every step once, in order."""
    from orchestration.console import ConsoleWatch
    from orchestration.definitions import run_nightly

    Thread(target=lambda: [*map(import_module, _SLOW_TO_IMPORT)], daemon=True).start()  # while Spark brings bronze
    if not run_nightly(settings, ConsoleWatch(console)):
        raise NextclickError(f"The nightly job failed; `nextclick --lake {settings.lake.root} up` shows the run.")
