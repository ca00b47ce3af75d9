"""Rejects as rows of silver.quarantine: by silver's rules, by a collision of ids, or by the door."""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from nextclick.contracts import silver
from spark_jobs.transforms import Transformer

_REJECT = "struct<reason:string,message:string,payload:string,replayable:boolean>"


def rejects(typed: DataFrame) -> DataFrame:
    """Typed events whose `reject` says why they may not enter silver."""
    damaged = F.col("reject.reason") == "damaged_line"
    return _rows(typed.where("reject IS NOT NULL"), F.col("reject.reason"), F.col("reject.message"), ~damaged)


def collisions(events: DataFrame) -> DataFrame:
    """Good events whose identity is taken by another payload."""
    message = F.concat(
        F.lit("Another payload came first under this identity: site "), "site",
        F.lit(", event_id "), "event_id", F.lit(", client_time "), F.col("client_time").cast("string"), F.lit("."),
    )  # fmt: skip
    return _rows(events, F.lit("id_collision"), message, F.lit(True))


def moved(bronze: DataFrame, by: str, why: str) -> Transformer:
    """Rows of silver.events that a person takes out; their payloads are those of `bronze`, rows of bronze.events."""
    payloads = bronze.select("seq", "payload")

    def transform(events: DataFrame) -> DataFrame:
        rows = events.join(payloads, "seq", "left").withColumn("whole", F.col("payload").isNotNull())
        rows = rows.withColumn("payload", F.coalesce("payload", F.lit("")))
        message = F.lit(f"Moved out of silver.events by {by}: {why}")
        return _rows(rows, F.lit(silver.MOVED), message, F.col("whole"), "operator")

    return transform


def still_moved(quarantine: DataFrame) -> DataFrame:
    """Rows of silver.quarantine → the events that stay out though they come again, as rows of bronze."""
    rows = quarantine.where((F.col("origin") == "operator") & (F.col("reason") == silver.MOVED))
    return rows.select("seq", "payload", "source", "received_at", F.lit(True).alias("intact"))


def _rows(events: DataFrame, reason: Column, message: Column, replayable: Column, origin: str = "silver") -> DataFrame:
    return events.select(
        "seq",
        F.lit(origin).alias("origin"),
        reason.alias("reason"),
        message.alias("message"),
        "payload",
        replayable.alias("replayable"),
        "source",
        "received_at",
    ).select(*silver.QUARANTINE.column_names)


def door_rejects(lines: DataFrame) -> DataFrame:
    """Rows of the quarantine log, framed like landing lines, as rows of silver.quarantine."""
    record = F.from_json("payload", _REJECT)
    torn = ~F.col("intact") | F.col("record").isNull() | F.col("record.reason").isNull()
    return lines.withColumn("record", record).select(
        "seq",
        F.lit("door").alias("origin"),
        F.when(torn, "damaged_line").otherwise(F.col("record.reason")).alias("reason"),
        F.when(torn, "The quarantine log's line is torn or altered on disk.")
        .otherwise(F.coalesce("record.message", F.lit("")))
        .alias("message"),
        F.when(torn, F.col("payload")).otherwise(F.coalesce("record.payload", F.lit(""))).alias("payload"),
        (~torn & F.coalesce("record.replayable", F.lit(True))).alias("replayable"),
        "source",
        "received_at",
    )
