"""silver.events → silver.user_agents: what each user agent says, parsed once, when it first comes."""

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame, SparkSession

from nextclick.contracts import silver
from nextclick.lake import delta
from nextclick.lake.paths import Lake
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
        came = {row.user_agent for row in events.transform(distinct_agents).collect()}
        known = set() if batch.replaces else _known(lake, came)
        agents = [described(agent) for agent in sorted(came - known)]
        batch.counts.read += len(agents)
        if agents or batch.replaces:
            rows = events.sparkSession.createDataFrame(agents, tables.schema(silver.USER_AGENTS)).coalesce(1)
            if batch.replaces:
                tables.replace(rows, lake, silver.USER_AGENTS, batch.commit("agents"), few=True)
            else:
                tables.append(rows, lake, silver.USER_AGENTS, batch.commit("agents"), len(agents))

    return run_query(spark, settings, trigger, "build_user_agents", (silver.USER_AGENTS,), source, process)


def _known(lake: Lake, agents: set[str]) -> set[str]:
    """Those that are there: read without Spark, for whom a join is planned longer than looked up."""
    there = delta.require(lake, silver.USER_AGENTS.name).to_pyarrow_dataset()
    rows = there.to_table(columns=["user_agent"], filter=pc.field("user_agent").isin(pa.array(agents, pa.string())))
    return {*rows["user_agent"].to_pylist()}


if __name__ == "__main__":
    launch(run)
