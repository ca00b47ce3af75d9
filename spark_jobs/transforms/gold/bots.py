"""Bots are labelled in silver.user_agents and left out here: a new list of them rewrites no event."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from spark_jobs.transforms import Transformer


def without_bots(agents: DataFrame) -> Transformer:
    """Keep the events whose user agent is no bot's by `agents` (rows of silver.user_agents), and those without one."""
    bots = agents.where("is_bot").select("user_agent")

    def transform(events: DataFrame) -> DataFrame:
        return events.join(bots, "user_agent", "left_anti")

    return transform


def without_suspects(suspects: DataFrame, time_column: str) -> Transformer:
    """Keep what nobody did who is a suspect on that day, in UTC, by `suspects` (rows of gold.suspects)."""
    names = suspects.where("is_suspect").select("site", "visitor_id", F.col("date").alias("suspect_on"))

    def transform(rows: DataFrame) -> DataFrame:
        dated = rows.withColumn("suspect_on", F.to_date(time_column))  # sessions of Spark are in UTC
        return dated.join(names, ["site", "visitor_id", "suspect_on"], "left_anti").drop("suspect_on")

    return transform


def of_agents(agents: DataFrame) -> Transformer:
    """Keep the rows whose user agent is one of `agents`: what gold must see again when the agents become known."""

    def transform(rows: DataFrame) -> DataFrame:
        return rows.join(agents.select("user_agent"), "user_agent", "left_semi")

    return transform
