"""silver.events, identities and user_agents → gold.interactions: whole persons, recomputed when anything of theirs changed."""

from typing import Final

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from nextclick.contracts import gold, silver
from nextclick.contracts.events import may_personalize_sql
from nextclick.report import JobReport
from nextclick.settings import Settings
from spark_jobs import tables
from spark_jobs.launch import launch
from spark_jobs.plans import held
from spark_jobs.streaming import MicroBatch, Trigger, run_query
from spark_jobs.transforms import Transformer
from spark_jobs.transforms.gold.bots import of_agents, without_bots
from spark_jobs.transforms.gold.interactions import interactions, tombstones, touched_persons
from spark_jobs.transforms.silver.identities import merges, persons

_OWNER: Final = ("site", "person_id")
_FEW_PERSONS: Final = 1_000
"""Whose pairs are held by the plan."""


def recompute(settings: Settings) -> Transformer:
    """Events with `person_id` → rows of gold.interactions."""
    return interactions(settings.interactions.weights, settings.interactions.half_life)


def run(spark: SparkSession, settings: Settings, trigger: Trigger = Trigger.AVAILABLE_NOW) -> JobReport:
    """Recompute the persons whom new events, new links or new bots touch, old and new ones."""
    lake, ids = settings.lake, F.array("visitor_id", "user_id").alias("ids")

    def source(spark: SparkSession) -> DataFrame:
        """Ids that changed: of events as they are appended, of links as they are changed; and new bots, by their agents."""
        events = tables.stream(spark, lake, silver.EVENTS).select("site", ids)
        links = tables.stream_changes(spark, lake, silver.IDENTITIES).select(
            "site", F.array("id", "user_id").alias("ids")
        )
        bots = tables.stream(spark, lake, silver.USER_AGENTS).where("is_bot").select("user_agent")
        return events.unionByName(links).unionByName(bots, allowMissingColumns=True)

    def process(changed: DataFrame, batch: MicroBatch) -> None:
        session = changed.sparkSession
        identities = tables.read(session, lake, silver.IDENTITIES)
        everything = tables.read_counted(session, settings, silver.EVENTS)
        allowed = everything.where(may_personalize_sql(settings.consent.personalization))
        visits = allowed.transform(without_bots(tables.read(session, lake, silver.USER_AGENTS)))
        merged = merges(identities)
        events = visits.transform(lambda rows: persons(rows, identities, merged))
        # Where everything is new, there is no need to say whom it touches.
        if batch.replaces or tables.is_empty(lake, gold.INTERACTIONS):
            rows, commit = events.transform(recompute(settings)), batch.commit("interactions")
            tables.replace(rows, lake, gold.INTERACTIONS, commit, few=tables.have_few(lake, silver.EVENTS))
            return
        few, changed = held.are_few(changed), batch.held_if_few(changed)
        bots = changed.where("user_agent IS NOT NULL")
        if not bots.isEmpty():
            few = False  # they may have had any number of visitors
            changed = changed.unionByName(
                everything.transform(of_agents(bots)).select("site", ids), allowMissingColumns=True
            )
        touched = batch.hold(changed.transform(touched_persons(identities, merged)), few)
        people = held.count(touched)
        batch.counts.read += people
        few = few and people <= _FEW_PERSONS
        rows = events.join(touched, list(_OWNER), "left_semi").transform(recompute(settings))
        rows = batch.hold(rows, few) if few else rows  # they are read twice below
        present = tables.alike(touched, lake, gold.INTERACTIONS, _OWNER, few)
        changes = batch.hold(rows.transform(tombstones(present)), few)
        commit, most = batch.commit("interactions"), held.count(changes)
        tables.merge(changes, lake, gold.INTERACTIONS, commit, only_changed=True, at_most=most)

    return run_query(spark, settings, trigger, "build_interactions", (gold.INTERACTIONS,), source, process)


if __name__ == "__main__":
    launch(run)
