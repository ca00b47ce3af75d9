"""What a job file does under `spark-submit`: read its options, run, print its report as one JSON line."""

import argparse
import sys
from collections.abc import Callable

import msgspec
from pyspark.sql import SparkSession

from nextclick.errors import NextclickError
from nextclick.report import JobReport
from nextclick.settings import Settings, load
from spark_jobs.session import refuse_unshared_disk
from spark_jobs.streaming import Trigger

Run = Callable[[SparkSession, Settings, Trigger], JobReport]


def launch(run: Run) -> None:
    """`spark-submit … spark_jobs/jobs/JOB.py --lake DIR`; everything about Spark is spark-submit's to say."""
    parser = argparse.ArgumentParser(description=sys.modules["__main__"].__doc__)
    parser.add_argument("--lake", help="the lake's folder (default: ./lake)")
    parser.add_argument("--conf-dir", help="folder with default.toml (default: the checkout's conf/)")
    parser.add_argument("--profile", help="merge conf/NAME.toml over the defaults")
    parser.add_argument(
        "--trigger", choices=[trigger.value for trigger in Trigger], default=Trigger.AVAILABLE_NOW.value
    )
    options = parser.parse_args()
    try:
        settings = load(options.lake, options.conf_dir, options.profile)
        spark = SparkSession.builder.getOrCreate()
        refuse_unshared_disk(settings, str(spark.sparkContext.master))
        report = run(spark, settings, Trigger(options.trigger))
    except NextclickError as error:
        print(f"nextclick: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    print(msgspec.json.encode(report).decode())
