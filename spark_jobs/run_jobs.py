"""Jobs by name: one, or the rebuild of a layer."""

import importlib
from collections.abc import Callable, Iterator
from typing import Final

from pyspark.sql import SparkSession

from nextclick.report import JobReport
from nextclick.settings import Settings
from spark_jobs import jobs
from spark_jobs.checkpoints.retention import refuse_loss
from spark_jobs.session import open_session
from spark_jobs.streaming import Trigger, forget

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
