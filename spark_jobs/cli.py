"""The verbs `stream` and `rebuild`."""

import importlib
import signal
import threading
from collections.abc import Callable
from typing import Final

import click
import msgspec
from pyspark.sql import SparkSession

from nextclick.cli import common_options, json_option, print_json
from nextclick.errors import NextclickError
from nextclick.report import JobReport
from nextclick.settings import Settings
from spark_jobs import jobs
from spark_jobs.retention import refuse_loss
from spark_jobs.session import open_session
from spark_jobs.streaming import Trigger, forget, stop_all

REBUILDS: Final = {
    # Silver is rebuilt with what is made of it: the streams below skip a rewrite of their source.
    "silver": (*jobs.SILVER, *jobs.GOLD),
    "gold": jobs.GOLD,
    "bronze": jobs.ALL,
}


def job(name: str) -> Callable[[SparkSession, Settings, Trigger], JobReport]:
    """The `run` of spark_jobs/jobs/NAME.py."""
    run: Callable[[SparkSession, Settings, Trigger], JobReport] = importlib.import_module(f"spark_jobs.jobs.{name}").run
    return run


@click.command()
@common_options
def stream(settings: Settings) -> None:
    """Keep bronze and silver up to date until stopped (Ctrl-C or SIGTERM).

    All queries run in one process. A batch that is under way when it stops is done anew at the next start, once.

    \b
    nextclick stream
    nextclick --lake /data/lake stream
    """
    settings.lake.prepare()
    spark = open_session(settings, "nextclick stream")
    failures: list[NextclickError] = []

    def keep(name: str) -> None:
        try:
            job(name)(spark, settings, Trigger.CONTINUOUS)
        except NextclickError as error:
            failures.append(error)
            stop_all(spark)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop_all(spark))
    threads = [threading.Thread(target=keep, args=(name,), name=name) for name in jobs.STREAMED]
    for thread in threads:
        thread.start()
    click.echo(f"streaming {settings.lake.root}: {', '.join(jobs.STREAMED)}; stop with Ctrl-C", err=True)
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    click.echo("stopped; nothing is lost, the next start goes on here", err=True)


@click.command()
@click.argument("layer", type=click.Choice(list(REBUILDS)))
@json_option
@common_options
def rebuild(settings: Settings, layer: str, as_json: bool) -> None:
    """Recompute a layer, and what is made of it, from the layer below.

    Each table is replaced in one commit, so that readers see the old rows or the new.
    An interrupted rebuild goes on when it, or `nextclick run`, is called again.

    \b
    nextclick rebuild gold       after new weights or a new half-life
    nextclick rebuild silver     after a lost checkpoint, a mended rule or another session gap
    nextclick rebuild bronze     from the landing log up
    """
    settings.lake.prepare()
    if layer == "bronze":
        refuse_loss(settings)
    spark = open_session(settings, f"nextclick rebuild {layer}")
    for name in REBUILDS[layer]:
        forget(settings, name)
    reports = []
    for name in REBUILDS[layer]:
        reports.append(job(name)(spark, settings, Trigger.AVAILABLE_NOW))
        click.echo(reports[-1].line(), err=True)
    if as_json:
        print_json(msgspec.to_builtins(reports))
