"""quarantine log, or Kafka → silver.quarantine: what the door could not accept, with its reason."""

from msgspec import structs
from pyspark.sql import DataFrame, SparkSession

from nextclick.contracts import silver
from nextclick.report import JobReport
from nextclick.settings import Settings
from spark_jobs import tables
from spark_jobs.launch import launch
from spark_jobs.sources import arrivals
from spark_jobs.streaming import MicroBatch, Trigger, run_query
from spark_jobs.transforms.bronze.landing_lines import landing_lines
from spark_jobs.transforms.silver.quarantine import door_rejects


def run(spark: SparkSession, settings: Settings, trigger: Trigger = Trigger.AVAILABLE_NOW) -> JobReport:
    """Append the door's new rejects to silver.quarantine."""
    lake = settings.lake

    def source(spark: SparkSession) -> DataFrame:
        return arrivals(spark, settings, "quarantine", settings.kafka.rejects_topic)

    def process(lines: DataFrame, batch: MicroBatch) -> None:
        rows = lines.transform(landing_lines(batch.id)).transform(door_rejects)
        if batch.replaces:
            tables.replace(rows, lake, silver.QUARANTINE, batch.commit("rejects"), "origin = 'door'")
        else:
            tables.append(rows, lake, silver.QUARANTINE, batch.commit("rejects"), tables.most_of(lines))

    report = run_query(spark, settings, trigger, "ingest_rejects", (silver.QUARANTINE,), source, process)
    return structs.replace(report, read=report.written)  # a line, or a record, is a row


if __name__ == "__main__":
    launch(run)
