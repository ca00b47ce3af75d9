"""bronze.events → silver.events (typed, checked, deduplicated for ever, enriched) and silver.quarantine."""

from collections.abc import Iterable

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from nextclick.contracts import bronze, silver
from nextclick.lake import lookup
from nextclick.lake.lookup import Reach
from nextclick.lake.paths import Lake
from nextclick.report import JobReport
from nextclick.settings import Settings
from spark_jobs import tables
from spark_jobs.held import are_few
from spark_jobs.launch import launch
from spark_jobs.moves import any_moved
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


def run(spark: SparkSession, settings: Settings, trigger: Trigger = Trigger.AVAILABLE_NOW) -> JobReport:
    """Append the first arrival of each good event; send the others where they belong."""
    lake, typing, checks = (
        settings.lake,
        type_events(settings.site, settings.events.nobody_words),
        validate_events(settings.events),
    )

    def source(spark: SparkSession) -> DataFrame:
        return tables.stream(spark, lake, bronze.EVENTS)

    def process(rows: DataFrame, batch: MicroBatch) -> None:
        typed = rows.transform(typing).transform(checks)
        # Good payloads would be half of the cache; only rejects need theirs.
        few = are_few(rows) and not batch.replaces
        typed = batch.hold(typed.withColumn("payload", F.expr("CASE WHEN reject IS NOT NULL THEN payload END")), few)
        good = typed.where("reject IS NULL")
        # One pass fills the cache and says what there is: how many, how many rejects, which hours.
        hour = F.expr("CASE WHEN reject IS NULL THEN div(unix_seconds(client_time), 3600) END").alias("hour")
        by_hour = typed.groupBy(hour).agg(F.count("*").alias("seen"), F.count("reject").alias("rejected")).collect()
        seen, rejected = (sum(row[name] for row in by_hour) for name in ("seen", "rejected"))
        hours = [row["hour"] for row in by_hour if row["hour"] is not None]
        has_moved = any_moved(lake)
        is_first = batch.replaces or (not few and tables.is_empty(lake, silver.EVENTS))
        # Nothing is there yet: copies are sought among the events themselves.
        present = None if is_first else _present(good, lake, hours, few and not has_moved)
        alone = present is None and not is_first
        if has_moved and not alone:
            moved = tables.read(rows.sparkSession, lake, silver.QUARANTINE).transform(still_moved)
            moved = moved.transform(typing).select(*COMPARED)
            present = present.unionByName(moved) if present else moved
        verdicts = None if alone else batch.hold(copies(good, present), few)
        counts = _counted(verdicts) if verdicts else {}
        batch.counts.read += seen
        batch.counts.duplicate += counts.get("duplicate", 0)

        first = (good.join(verdicts, "seq", "left_anti") if verdicts and counts else good).transform(with_visitors)
        first = first.transform(enrich_events)
        refused = typed.transform(rejects)
        if verdicts and counts.get("id_collision"):
            collided = good.drop("payload").join(verdicts.where("verdict = 'id_collision'"), "seq", "left_semi")
            collided = collided.join(rows.select("seq", "payload"), "seq")
            refused = refused.unionByName(collided.transform(collisions))
        if batch.replaces:
            tables.replace(refused, lake, silver.QUARANTINE, batch.commit("quarantine"), _MADE_HERE)
            tables.replace(first, lake, silver.EVENTS, batch.commit("events"))
        else:
            if rejected or counts.get("id_collision"):
                most = rejected + counts.get("id_collision", 0)
                tables.append(refused, lake, silver.QUARANTINE, batch.commit("quarantine"), most)
            if good_ones := seen - rejected - sum(counts.values()):
                tables.append(first, lake, silver.EVENTS, batch.commit("events"), good_ones)

    return run_query(spark, settings, trigger, "build_events", (silver.EVENTS, silver.QUARANTINE), source, process)


def _present(good: DataFrame, lake: Lake, hours: Iterable[int], few: bool) -> DataFrame | None:
    """What silver has already of the `hours` of `good` events; of `few` what has their identities, and None where each is alone with it."""
    if not few:
        there = tables.read(good.sparkSession, lake, silver.EVENTS)
        return there.where(time_ranges(hours, "client_time")).select(*COMPARED)
    identities = good.select(*IDENTITY).toArrow()
    reach = Reach(spans(hours), "client_time", "client_time")
    known = lookup.matching(lake, silver.EVENTS.name, identities, COMPARED, reach)
    if not known.num_rows and not lookup.repeat(identities):
        return None
    return tables.local(good.sparkSession, silver.EVENTS, known)


def _counted(verdicts: DataFrame) -> dict[str, int]:
    return {row["verdict"]: row["count"] for row in verdicts.groupBy("verdict").count().collect()}


if __name__ == "__main__":
    launch(run)
