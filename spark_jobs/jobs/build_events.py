"""bronze.events → silver.events (typed, checked, deduplicated for ever, enriched) and silver.quarantine."""

from collections.abc import Iterable, Set
from typing import NamedTuple

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from nextclick.contracts import bronze, silver
from nextclick.lake import lookup
from nextclick.lake.lookup import Reach
from nextclick.lake.paths import Lake
from nextclick.report import JobReport
from nextclick.settings import EventsSettings, Settings
from spark_jobs import tables
from spark_jobs.launch import launch
from spark_jobs.moves import any_moved
from spark_jobs.plans import held
from spark_jobs.plans.prepared import Prepared, once
from spark_jobs.streaming import MicroBatch, Trigger, run_query
from spark_jobs.transforms.silver.deduplicate import COMPARED, IDENTITY, copies
from spark_jobs.transforms.silver.enrich_events import enrich_events
from spark_jobs.transforms.silver.identities import with_visitors
from spark_jobs.transforms.silver.quarantine import collisions, rejects, still_moved
from spark_jobs.transforms.silver.type_events import type_events
from spark_jobs.transforms.silver.validate_events import validate_events
from spark_jobs.transforms.time_ranges import spans, time_ranges

_MADE_HERE = f"origin = 'silver' OR (origin = 'operator' AND reason = '{silver.RESTORED}')"
"""What a rebuild makes anew; what is restored is among the events again."""


class EventSteps(NamedTuple):
    """What is made of the rows of a batch."""

    typed: Prepared
    """bronze.events → typed rows with their `reject`."""
    by_hour: Prepared
    """Typed rows → how many there are of each hour, and how many rejects."""
    identities: Prepared
    """Typed rows → the identities of the good ones."""
    accepted: Prepared
    """Typed rows, none of them a copy → rows of silver.events."""


@once
def steps(site: str, nobody_words: Set[str], limits: EventsSettings) -> EventSteps:
    typing, checks = type_events(site, nobody_words), validate_events(limits)
    payload = F.expr("CASE WHEN reject IS NOT NULL THEN payload END")  # good ones would be half of what is held
    hour = F.expr("CASE WHEN reject IS NULL THEN div(unix_seconds(client_time), 3600) END").alias("hour")
    return EventSteps(
        Prepared(lambda rows: rows.transform(typing).transform(checks).withColumn("payload", payload), wide=True),
        Prepared(
            lambda typed: typed.groupBy(hour).agg(F.count("*").alias("seen"), F.count("reject").alias("rejected"))
        ),
        Prepared(lambda typed: typed.where("reject IS NULL").select(*IDENTITY)),
        Prepared(lambda typed: _accepted(typed.where("reject IS NULL")), wide=True),
    )


def _accepted(good: DataFrame) -> DataFrame:
    return good.transform(with_visitors).transform(enrich_events).select(*silver.EVENTS.column_names)


def run(spark: SparkSession, settings: Settings, trigger: Trigger = Trigger.AVAILABLE_NOW) -> JobReport:
    """Append the first arrival of each good event; send the others where they belong."""
    lake, typing = settings.lake, type_events(settings.site, settings.events.nobody_words)
    step = steps(settings.site, settings.events.nobody_words, settings.events)

    def source(spark: SparkSession) -> DataFrame:
        return tables.stream(spark, lake, bronze.EVENTS)

    def process(rows: DataFrame, batch: MicroBatch) -> None:
        few = held.are_few(rows)
        typed = batch.hold(step.typed(rows, few=few), few)
        good = typed.where("reject IS NULL")
        # One pass fills the cache and says what there is: how many, how many rejects, which hours.
        by_hour = held.collect(step.by_hour(typed, few=few))
        seen, rejected = (sum(row[name] for row in by_hour) for name in ("seen", "rejected"))
        hours = [row["hour"] for row in by_hour if row["hour"] is not None]
        has_moved = any_moved(lake)
        is_first = batch.replaces or (not few and tables.is_empty(lake, silver.EVENTS))
        present = None  # nothing is there yet: copies are sought among the events themselves
        if few and not has_moved and not batch.replaces:
            present = _copied(step.identities(typed, few=True).toArrow(), lake, hours, rows.sparkSession)
        elif not is_first:
            there = tables.read(rows.sparkSession, lake, silver.EVENTS)
            present = there.where(time_ranges(hours, "client_time")).select(*COMPARED)
        alone = present is None and not is_first
        if has_moved and not alone:
            moved = tables.read(rows.sparkSession, lake, silver.QUARANTINE).transform(still_moved)
            moved = moved.transform(typing).select(*COMPARED)
            present = present.unionByName(moved) if present else moved
        verdicts = None if alone else batch.hold(copies(good, present), few)
        counts = _counted(verdicts) if verdicts else {}
        batch.counts.read += seen
        batch.counts.duplicate += counts.get("duplicate", 0)

        unlike = good.join(verdicts, "seq", "left_anti") if verdicts and counts else None
        first = _accepted(unlike) if unlike else step.accepted(typed, few=few)
        refused = typed.transform(rejects)
        if verdicts and counts.get("id_collision"):
            collided = good.drop("payload").join(verdicts.where("verdict = 'id_collision'"), "seq", "left_semi")
            collided = collided.join(rows.select("seq", "payload"), "seq")
            refused = refused.unionByName(collided.transform(collisions))
        if batch.replaces:
            tables.replace(refused, lake, silver.QUARANTINE, batch.commit("quarantine"), _MADE_HERE)
            tables.replace(first, lake, silver.EVENTS, batch.commit("events"), few=few)
        else:
            if rejected or counts.get("id_collision"):
                most = rejected + counts.get("id_collision", 0)
                tables.append(refused, lake, silver.QUARANTINE, batch.commit("quarantine"), most)
            if good_ones := seen - rejected - sum(counts.values()):
                tables.append(first, lake, silver.EVENTS, batch.commit("events"), good_ones)

    return run_query(spark, settings, trigger, "build_events", (silver.EVENTS, silver.QUARANTINE), source, process)


def _copied(identities: pa.Table, lake: Lake, hours: Iterable[int], spark: SparkSession) -> DataFrame | None:
    """What silver has already of few events with these `identities`, within `hours`; None where each is alone with its own."""
    reach = Reach(spans(hours), "client_time", "client_time")
    known = lookup.matching(lake, silver.EVENTS.name, identities, COMPARED, reach)
    if not known.num_rows and not lookup.repeat(identities):
        return None
    return tables.local(spark, silver.EVENTS, known)


def _counted(verdicts: DataFrame) -> dict[str, int]:
    return {row["verdict"]: row["count"] for row in verdicts.groupBy("verdict").count().collect()}


if __name__ == "__main__":
    launch(run)
