"""Jobs by name: one, all streams until stopped, or the rebuild of a layer."""

import importlib
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Final

from pyspark.sql import SparkSession

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


def stream(settings: Settings) -> None:
    """Bronze and silver up to date, all queries in this process, until SIGINT or SIGTERM; raises the first error of a job."""
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
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def rebuild(settings: Settings, layer: str) -> Iterator[JobReport]:
    """Recompute the layer, and what is made of it, from the layer below: a report as each job ends.

    Each table is replaced in one commit. What an interrupted rebuild left undone, it or `nextclick run` does later.
    """
    settings.lake.prepare()
    if layer == "bronze":
        refuse_loss(settings)
    spark = open_session(settings, f"nextclick rebuild {layer}")
    for name in REBUILDS[layer]:
        forget(settings, name)
    for name in REBUILDS[layer]:
        yield job(name)(spark, settings, Trigger.AVAILABLE_NOW)
