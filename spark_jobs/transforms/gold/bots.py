"""Bots are labelled in silver.user_agents and left out here: a new list of them rewrites no event."""

from pyspark.sql import DataFrame

from spark_jobs.transforms import Transformer


def without_bots(agents: DataFrame) -> Transformer:
    """Keep the events whose user agent is no bot's by `agents` (rows of silver.user_agents), and those without one."""
    bots = agents.where("is_bot").select("user_agent")

    def transform(events: DataFrame) -> DataFrame:
        return events.join(bots, "user_agent", "left_anti")

    return transform


def of_agents(agents: DataFrame) -> Transformer:
    """Keep the rows whose user agent is one of `agents`: what gold must see again when the agents become known."""

    def transform(rows: DataFrame) -> DataFrame:
        return rows.join(agents.select("user_agent"), "user_agent", "left_semi")

    return transform
