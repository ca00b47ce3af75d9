"""silver.events → silver.user_agents: what each user agent says, parsed once, when it first comes."""

from pyspark.sql import DataFrame, SparkSession

from nextclick.contracts import silver
from nextclick.report import JobReport
from nextclick.settings import Settings
from spark_jobs import tables
from spark_jobs.launch import launch
from spark_jobs.streaming import MicroBatch, Trigger, run_query
from spark_jobs.transforms.silver.user_agents import described, distinct_agents


def run(spark: SparkSession, settings: Settings, trigger: Trigger = Trigger.AVAILABLE_NOW) -> JobReport:
    """Append each batch's agents that are not there yet."""
    lake = settings.lake

    def source(spark: SparkSession) -> DataFrame:
        return tables.stream(spark, lake, silver.EVENTS)

    def process(events: DataFrame, batch: MicroBatch) -> None:
        session, fresh = events.sparkSession, events.transform(distinct_agents)
        if not batch.replaces:
            present = tables.read(session, lake, silver.USER_AGENTS)
            fresh = fresh.join(present, "user_agent", "left_anti")
        agents = [described(row.user_agent) for row in fresh.collect()]
        batch.counts.read += len(agents)
        rows = session.createDataFrame(agents, tables.schema(silver.USER_AGENTS)).coalesce(1)
        if batch.replaces:
            tables.replace(rows, lake, silver.USER_AGENTS, batch.commit("agents"))
        elif agents:
            tables.append(rows, lake, silver.USER_AGENTS, batch.commit("agents"))

    return run_query(spark, settings, trigger, "build_user_agents", (silver.USER_AGENTS,), source, process)


if __name__ == "__main__":
    launch(run)
