"""Lines of the landing log, and records of Kafka → rows of bronze.events."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from spark_jobs.transforms import Transformer

_FRAME = 4
"""Words before the payload: CRC, position, arrival, source."""


def landing_lines(batch: int) -> Transformer:
    """Split each line's frame and check its CRC-32 (nextclick/landing/reader.py has the form).

    Input: what spark_jobs/sources.py gives. A line whose CRC does not hold is kept whole,
    with `intact` false; its position is then a negative number of its own in the batch,
    since nothing in a damaged frame can be believed. A record of Kafka comes with its
    `position`, and Kafka has checked it.
    """

    def transform(lines: DataFrame) -> DataFrame:
        # The form of the frame, which is looked at besides, allows small letters alone.
        intact = F.expr(
            "substring(value, 1, 8) = lower(lpad(hex(crc32(encode(substring(value, 10), 'utf-8'))), 8, '0'))"
        )
        return (
            lines.withColumn("framed", F.col("value").rlike("^[0-9a-f]{8} [0-9]+ [0-9]+ [^ ]+ ") & intact)
            .withColumn(
                "words", F.when(F.col("position").isNull() & F.col("framed"), F.split("value", " ", _FRAME + 1))
            )
            .select(
                F.struct(
                    F.lit(batch).cast("bigint").alias("batch"),
                    "segment",
                    F.coalesce(
                        "position", F.expr("try_cast(words[1] AS bigint)"), -1 - F.monotonically_increasing_id()
                    ).alias("position"),
                ).alias("seq"),
                F.coalesce("received_at", F.expr("timestamp_millis(try_cast(words[2] AS bigint))")).alias(
                    "received_at"
                ),
                F.coalesce("source", F.expr("words[3]")).alias("source"),
                F.coalesce(F.expr("words[4]"), "value").alias("payload"),
                (F.col("position").isNotNull() | F.col("framed")).alias("intact"),
            )
        )

    return transform
