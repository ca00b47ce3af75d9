"""Gold by day: whole days are recomputed from the rows of one silver table, when rows of theirs or what is known of agents changed."""

from collections.abc import Callable
from typing import NamedTuple

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from nextclick.contracts import silver
from nextclick.contracts.table import Table
from nextclick.lake.paths import Lake
from nextclick.report import JobReport
from nextclick.settings import Settings
from spark_jobs import tables
from spark_jobs.streaming import MicroBatch, Trigger, run_query
from spark_jobs.transforms import Transformer
from spark_jobs.transforms.gold.bots import of_agents, without_bots
from spark_jobs.transforms.local_days import local_date, on_days


class DailyTable(NamedTuple):
    """A table of gold by day, and what it is made of."""

    job: str
    table: Table
    source: Table
    time_column: str
    """The time of the source's rows that says their day."""
    follow: Callable[[SparkSession, Lake, Table], DataFrame]
    """How the source is followed: tables.stream where rows only come, else tables.stream_changes."""
    agents_to_recount: Transformer
    """Keep those of new silver.user_agents whose rows must be counted anew."""
    transform: Callable[[DataFrame], Transformer]
    """silver.user_agents → the source's rows, with their `date` → rows of the table."""
    counted: Callable[[DataFrame], Transformer] = lambda agents: lambda rows: rows
    """silver.user_agents → the source's rows, of all days → those that count."""
    recounted: Callable[[DataFrame], Transformer] | None = None
    """New rows → the source's rows → those, of any day, that may count now and did not, or the other way round."""
    recounts: str = "false"
    """SQL: a new row for which there can be such rows."""

    def run(self, spark: SparkSession, settings: Settings, trigger: Trigger) -> JobReport:
        """Recompute the days of what changed, and of all rows of new agents, from all rows of those days."""
        lake, analytics = settings.lake, settings.analytics
        day = local_date(analytics, self.time_column)

        def stream(spark: SparkSession) -> DataFrame:
            agents = (
                tables.stream(spark, lake, silver.USER_AGENTS).transform(self.agents_to_recount).select("user_agent")
            )
            rows = self.follow(spark, lake, self.source)
            rows = rows.drop("user_agent") if self.recounted else rows.select("site", self.time_column)
            return rows.unionByName(agents, allowMissingColumns=True)

        def process(changed: DataFrame, batch: MicroBatch) -> None:
            changed = batch.held_if_few(changed)
            seen, known, days, recounts = changed.agg(
                F.count(self.time_column), F.count("user_agent"), F.collect_set(day), F.count_if(F.expr(self.recounts))
            ).collect()[0]
            batch.counts.read += seen
            rows = tables.read_counted(changed.sparkSession, settings, self.source).withColumn("date", day)
            agents = tables.read(changed.sparkSession, lake, silver.USER_AGENTS)
            counted, compute = rows.transform(self.counted(agents)), self.transform(agents)
            few = (batch.replaces or tables.is_empty(lake, self.table)) and tables.have_few(lake, self.source)
            if batch.replaces or few:  # all is new: no need to say which days
                tables.replace(counted.transform(compute), lake, self.table, batch.commit("days"), few=few)
                return
            if known:
                theirs = rows.transform(of_agents(changed))
                days += theirs.agg(F.collect_set("date")).collect()[0][0]
                changed = changed.unionByName(theirs, allowMissingColumns=True) if self.recounted else changed
            if self.recounted and (recounts or known):
                days += rows.transform(self.recounted(changed)).agg(F.collect_set("date")).collect()[0][0]
            if days:
                recomputed = counted.where(on_days(analytics, days, self.time_column)).transform(compute)
                # What changed can open a row each, and what agents are known for another in the place of one that is there.
                most = 2 * (tables.rows_on(lake, self.table, days) + seen)
                tables.replace_days(recomputed, lake, self.table, batch.commit("days"), days, most)

        return run_query(spark, settings, trigger, self.job, (self.table,), stream, process)


def agents_that_are_bots(agents: DataFrame) -> DataFrame:
    """For tables that only leave bots out: other agents change nothing."""
    return agents.where("is_bot")


def excluding_bots(transform: Transformer) -> Callable[[DataFrame], Transformer]:
    """`transform` of the rows that are no bot's."""
    return lambda agents: lambda rows: rows.transform(without_bots(agents)).transform(transform)
