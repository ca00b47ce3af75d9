"""Which arrivals of an event count: the smallest seq of an identity, for ever."""

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

IDENTITY = ("site", "event_id", "client_time")
COMPARED = (*IDENTITY, "seq", "payload_hash")


def copies(arrivals: DataFrame, present: DataFrame | None) -> DataFrame:
    """The arrivals that are not the first of their identity: columns `seq` and `verdict`.

    Both inputs have the columns COMPARED; `present` is what silver
    holds already, if anything, and always comes first. `verdict` is `duplicate` where the payload is the
    first one's, `id_collision` where it is another, and `replay` where the arrival itself is
    present (its batch is run again). Only these narrow columns are shuffled, never rows.
    """
    narrow: list[Column | str] = [*COMPARED, F.xxhash64(*IDENTITY).alias("key")]
    new = arrivals.select(*narrow).withColumn("arrival", F.lit(True))
    both = new
    if present is not None:  # a micro-batch is small enough to be looked up in: what is there is read, and not shuffled
        known = present.select(*narrow).join(new.select("key"), "key", "left_semi")
        both = new.unionByName(known.withColumn("arrival", F.lit(False)))
    # Copies are rare: a count of hashes finds the few identities that need a closer look.
    repeated = both.groupBy("key").count().where("count > 1").select("key")
    order = Window.partitionBy(*IDENTITY).orderBy("arrival", "seq")
    verdict = (
        F.when(F.col("seq") == F.col("first_seq"), "replay")
        .when(F.col("payload_hash") == F.col("first_hash"), "duplicate")
        .otherwise("id_collision")
    )
    return (
        both.join(repeated, "key", "left_semi")
        .withColumn("first_hash", F.first("payload_hash").over(order))
        .withColumn("first_seq", F.first("seq").over(order))
        .withColumn("place", F.row_number().over(order))
        .where("arrival AND place > 1")
        .select("seq", verdict.alias("verdict"))
    )
