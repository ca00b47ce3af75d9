"""Where streams begin: the segments of a log, on this disk or in the bucket, and beside them, if so set, a topic of Kafka."""

import re
from pathlib import Path
from typing import Final

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from nextclick.errors import SettingsError
from nextclick.lake import files
from nextclick.lake.paths import literal
from nextclick.object_store import bucket
from nextclick.settings import Settings

_FRAMED: Final = ("position", "received_at", "source")
"""What Kafka keeps beside a record, and a line of a segment holds within itself."""

_BEGUN: Final = "_begun"


def arrivals(spark: SparkSession, settings: Settings, log: str, topic: str) -> DataFrame:
    """What came: `value`, `segment` (a file, or topic-partition), and of a record `position`, `received_at`, `source`.

    With Kafka the segments of the log `landing` or `quarantine` are read, too: what was published before Kafka came lies there.
    """
    _refuse_unshared_log(settings, str(spark.sparkContext.master))
    lines = segments(spark, settings, settings.lake.log(log))
    if settings.streaming.source == "kafka":
        return lines.unionByName(records(spark, settings, topic))
    return lines


def _refuse_unshared_log(settings: Settings, master: str) -> None:
    """SettingsError where executors on other machines would look for this machine's segments on their own disks."""
    if settings.streaming.source != "landing" or settings.spark.shared_disk or master.startswith("local"):
        return
    raise SettingsError(
        f"Spark runs at {master}, whose workers do not see {settings.lake.landing}, this machine's landing log. Set streaming.source = "
        "bucket, so that it is shipped into the lake's bucket, or kafka; or, where all machines mount this folder, "
        "spark.shared_disk = true."
    )


def segments(spark: SparkSession, settings: Settings, folder: str) -> DataFrame:
    """Lines of the published segments in `folder`; their frame is still in `value`.

    The file source never reads a file that is older than the newest by more than
    maxFileAge, and says nothing: so it lies above any outage. Below a folder whose name has
    signs of a pattern it reads each of several files as often as there are files, unless it
    looks for them in sub-folders, too; there are none.
    """
    if bucket.holds(folder):
        files.write(f"{folder}/{_BEGUN}", b"")  # what has no object is no folder there
    else:
        Path(folder).mkdir(parents=True, exist_ok=True)
    lines = (
        spark.readStream.format("text")
        .option("lineSep", "\n")
        .option("pathGlobFilter", "*.log")
        .option("recursiveFileLookup", True)
        .option("maxFileAge", "36500d")
        .option("maxFilesPerTrigger", settings.streaming.max_segments_per_trigger)
        .load(literal(folder))
    )
    types = zip(_FRAMED, ("bigint", "timestamp", "string"), strict=True)
    return lines.select(
        "value",
        F.col("_metadata.file_name").alias("segment"),
        *(F.lit(None).cast(kind).alias(name) for name, kind in types),
    )


def records(spark: SparkSession, settings: Settings, topic: str) -> DataFrame:
    """Records of `topic`, from its beginning; one that is gone before it was read stops the query.

    A pattern, since a topic may be made later than its reader starts. Where another producer
    sent no header, Kafka's own timestamp is the arrival.
    """
    kafka = settings.kafka
    stream = (
        spark.readStream.format("kafka")
        .options(**{f"kafka.{key}": value for key, value in kafka.spark.items()})
        .option("kafka.bootstrap.servers", kafka.servers)
        .option("subscribePattern", re.escape(topic))
        .option("startingOffsets", "earliest")
        .option("failOnDataLoss", "true")
        .option("includeHeaders", "true")
        .option("maxOffsetsPerTrigger", kafka.records_per_trigger)
        .load()
    )
    return stream.select(
        F.coalesce(F.expr("make_valid_utf8(CAST(value AS string))"), F.lit("")).alias("value"),
        F.concat_ws("-", "topic", "partition").alias("segment"),
        F.col("offset").alias("position"),
        F.coalesce(F.expr(f"timestamp_millis(try_cast({_header('received_at')} AS bigint))"), "timestamp").alias(
            "received_at"
        ),
        F.expr(_header("source")).alias("source"),
    )


def _header(name: str) -> str:
    return f"CAST(get(filter(headers, header -> header.key = '{name}'), 0).value AS string)"
