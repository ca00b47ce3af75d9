"""landing log, or Kafka → bronze.events: every line or record, once, untouched."""

from msgspec import structs
from pyspark.sql import DataFrame, SparkSession

from nextclick.contracts import bronze
from nextclick.report import JobReport
from nextclick.settings import Settings
from spark_jobs import tables
from spark_jobs.launch import launch
from spark_jobs.sources import arrivals
from spark_jobs.streaming import MicroBatch, Trigger, run_query
from spark_jobs.transforms.bronze.landing_lines import landing_lines


def run(spark: SparkSession, settings: Settings, trigger: Trigger = Trigger.AVAILABLE_NOW) -> JobReport:
    """Append what came to bronze.events, one commit a batch."""
    lake = settings.lake

    def source(spark: SparkSession) -> DataFrame:
        return arrivals(spark, settings, "landing", settings.kafka.events_topic)

    def process(lines: DataFrame, batch: MicroBatch) -> None:
        rows = lines.transform(landing_lines(batch.id))
        commit, most = batch.commit("events"), tables.most_of(lines)
        if batch.replaces:
            tables.replace(rows, lake, bronze.EVENTS, commit, few=most is not None)
        else:
            tables.append(rows, lake, bronze.EVENTS, commit, most)

    report = run_query(spark, settings, trigger, "ingest_events", (bronze.EVENTS,), source, process)
    return structs.replace(report, read=report.written)  # a line, or a record, is a row


if __name__ == "__main__":
    launch(run)
