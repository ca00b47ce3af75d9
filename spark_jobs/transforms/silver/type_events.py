"""bronze.events → typed columns, with the fields that would not take their type named in `bad_fields`."""

from typing import Final

import msgspec
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from nextclick import events as wire
from nextclick.tables import silver
from spark_jobs.transforms import Transformer
from spark_jobs.transforms.silver.channel import channel

FIELDS: Final = tuple(field.name for field in msgspec.structs.fields(wire.Event))
"""Fields of the event on the wire, each read as text first: a cast that fails is then seen, not silent."""

TIMES: Final = ("client_time", "occurred_at", "sent_at")
NUMBERS: Final = {
    column.name: column.type
    for column in silver.EVENTS.columns
    if column.name in FIELDS and column.type not in ("string", "timestamp", "map<string,string>")
}
_MILLIS: Final = (-62_135_596_800_000, 253_402_300_799_999)
"""Years 1 to 9999: outside, a timestamp overflows instead of being merely impossible."""
_RAW: Final = "struct<" + ",".join(f"{name}:string" for name in FIELDS) + ",_corrupt:string>"


def type_events(site: str) -> Transformer:
    """One row per bronze row, all columns of silver.events plus `bad_fields` and `malformed`.

    `site` stands for events that name none. Fields that no one knows are kept in
    `properties`. Values are not judged here: `validate_events` does that.
    """

    def transform(bronze: DataFrame) -> DataFrame:
        parsed = bronze.withColumn(
            "raw",
            F.when(
                F.col("intact"),
                F.from_json(
                    "payload", _RAW, {"columnNameOfCorruptRecord": "_corrupt", "allowNonNumericNumbers": "true"}
                ),
            ),
        ).withColumn("malformed", F.col("raw").isNull() | F.col("raw._corrupt").isNotNull())
        typed = {name: _typed(name) for name in FIELDS if name not in ("properties", "occurred_at", "site")}
        return (
            parsed.withColumn("properties", _properties())
            .select("*", *(column.alias(name) for name, column in typed.items()))
            .withColumn("occurred_at", F.coalesce(_typed("occurred_at"), "client_time"))
            .withColumn("site", F.coalesce("raw.site", F.lit(site)))
            .withColumn("visitor_id", F.coalesce("visitor_id", "user_id"))
            .withColumn("event", _canonical_kind())
            .withColumn("bad_fields", _bad_fields(typed))
            .withColumn("channel", channel())
            .withColumn("payload_hash", _payload_hash())
            .drop("raw")
        )

    return transform


def _typed(name: str) -> Column:
    raw = F.col(f"raw.{name}")
    if name in TIMES:
        millis = raw.try_cast("bigint")
        return F.when(millis.between(*_MILLIS), F.timestamp_millis(millis))
    if name in NUMBERS:
        number = raw.try_cast(NUMBERS[name])
        if NUMBERS[name] == "double":  # NaN and infinity are words of JSON's relatives, not numbers
            return F.when(~F.isnan(number) & (F.abs(number) != float("inf")), number)
        return number
    return raw


def _canonical_kind() -> Column:
    kind = F.col("event")
    for alias, canonical in wire.ALIASES.items():
        if canonical in wire.KINDS:
            kind = F.when(F.col("event") == alias, F.lit(canonical)).otherwise(kind)
    return kind


def _bad_fields(typed: dict[str, Column]) -> Column:
    """Names of the fields that are there but did not take their type, with commas between; mostly empty."""
    columns = {name: typed[name] for name in (*TIMES, *NUMBERS) if name in typed}
    columns |= {"occurred_at": _typed("occurred_at"), "properties": F.col("properties")}
    marks = [
        F.when(F.col(f"raw.{name}").isNotNull() & column.isNull(), F.lit(name)) for name, column in columns.items()
    ]
    return F.concat_ws(", ", *marks)


def _properties() -> Column:
    """The properties, with fields that this version does not know added to them: drift loses nothing."""
    keys = F.json_object_keys("payload")
    known = F.array(*(F.lit(name) for name in FIELDS))
    present = sum((F.col(f"raw.{name}").isNotNull().cast("int") for name in FIELDS), F.lit(0))
    given = F.from_json(F.col("raw.properties"), "map<string,string>")
    everything = F.from_json(F.col("payload"), "map<string,string>")
    strangers = F.map_filter(everything, lambda key, _: ~F.array_contains(known, key))
    own = F.map_filter(
        F.coalesce(given, F.create_map().cast("map<string,string>")), lambda key, _: ~F.map_contains_key(strangers, key)
    )
    # Counting keys is cheap and says for almost every row that there is no stranger.
    drifted = ~F.col("malformed") & (F.size(keys) > present) & (F.size(strangers) > 0)
    return F.when(drifted, F.map_concat(own, strangers)).otherwise(given)


def _payload_hash() -> Column:
    """xxhash64 of every field but the times; null and empty count as equal, order of properties does not count."""
    plain = [F.coalesce(F.col(name).cast("string"), F.lit("")) for name in FIELDS if name not in (*TIMES, "properties")]
    return F.xxhash64(*plain, F.sort_array(F.map_entries("properties")))
