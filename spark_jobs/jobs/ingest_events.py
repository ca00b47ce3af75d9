"""landing log → bronze.events: every line, once, untouched."""

from msgspec import structs
from pyspark.sql import DataFrame, SparkSession

from nextclick.report import JobReport
from nextclick.settings import Settings
from nextclick.tables import bronze
from spark_jobs import tables
from spark_jobs.launch import launch
from spark_jobs.sources import segments
from spark_jobs.streaming import Batch, Trigger, run_query
from spark_jobs.transforms.bronze.landing_lines import landing_lines


def run(spark: SparkSession, settings: Settings, trigger: Trigger = Trigger.AVAILABLE_NOW) -> JobReport:
    """Append the lines of new segments to bronze.events, one commit a batch."""
    lake = settings.lake

    def source(spark: SparkSession) -> DataFrame:
        return segments(spark, settings, lake.landing)

    def process(lines: DataFrame, batch: Batch) -> None:
        write = tables.replace if batch.replaces else tables.append
        write(lines.transform(landing_lines(batch.id)), lake, bronze.EVENTS, batch.commit("events"))

    report = run_query(spark, settings, trigger, "ingest_events", (bronze.EVENTS,), source, process)
    return structs.replace(report, read=report.written)  # a line is a row


if __name__ == "__main__":
    launch(run)
