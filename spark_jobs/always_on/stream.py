"""All jobs of bronze and silver at once, until stopped: a query each, in threads of one process."""

import gc
import signal
import threading

from nextclick.errors import NextclickError
from nextclick.settings import Settings
from spark_jobs import jobs
from spark_jobs.run_jobs import job
from spark_jobs.session import open_session
from spark_jobs.streaming import Trigger, stop_all


def stream(settings: Settings) -> None:
    """Bronze and silver up to date, all queries in this process, until SIGINT or SIGTERM; raises the first error of a job."""
    settings.lake.prepare()
    spark = open_session(settings, "nextclick stream")
    failures: list[NextclickError] = []
    runs = {name: job(name) for name in jobs.STREAMED}
    gc.freeze()  # what is loaded by now stays: each batch looks for cycles among what is newer

    def keep(name: str) -> None:
        try:
            runs[name](spark, settings, Trigger.CONTINUOUS)
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
