"""Which typed events may enter silver, and why the others may not."""

from datetime import date
from typing import Final

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from nextclick.settings import Events
from nextclick.tables import silver
from spark_jobs.transforms import Transformer
from spark_jobs.transforms.silver.type_events import FIELDS

IDS: Final = ("site", "event_id", "event", "visitor_id", "user_id", "session_hint", "item_id", "order_id", "request_id")
TEXTS: Final = tuple(
    column.name
    for column in silver.EVENTS.columns
    if column.name in FIELDS and column.type == "string" and column.name not in IDS
)
RANGES: Final = {
    column.name: (column.minimum, column.maximum)
    for column in silver.EVENTS.columns
    if column.minimum is not None or column.maximum is not None
}


def validate_events(limits: Events) -> Transformer:
    """Add `reject` (struct of reason and message; null where the event is good): the first rule that fails."""

    def transform(events: DataFrame) -> DataFrame:
        rules: list[tuple[str, Column, Column]] = [
            (
                "damaged_line",
                ~F.col("intact"),
                F.lit("The landing line's CRC-32 does not hold: torn or altered on disk."),
            ),
            ("malformed_json", F.col("malformed"), F.lit("The payload is not a JSON object.")),
            ("bad_text", _bad_text(), F.lit("The payload holds NUL or half of a surrogate pair.")),
            ("missing_field", _missing() != "", _named("Required fields are missing: ", _missing())),
            ("bad_type", F.col("bad_fields") != "", _named("Fields do not take their type: ", F.col("bad_fields"))),
            ("too_long", _too_long(limits) != "", _named(_length_limits(limits), _too_long(limits))),
            (
                "too_many_properties",
                F.coalesce(F.size("properties") > limits.max_properties, F.lit(False)),
                F.lit(f"More than {limits.max_properties} properties (events.max_properties)."),
            ),
            ("out_of_range", _out_of_range() != "", _named("Fields are out of their range: ", _out_of_range())),
            (
                "impossible_time",
                _too_old(limits.oldest),
                F.lit(f"The event lies before {limits.oldest} (events.oldest)."),
            ),
            (
                "future_time",
                _future(limits.future_limit_minutes),
                F.lit(
                    f"The event lies more than {limits.future_limit_minutes} minutes after its arrival "
                    "(events.future_limit_minutes)."
                ),
            ),
        ]
        reject = F.lit(None).cast("struct<reason:string,message:string>")
        for reason, broken, message in reversed(rules):
            verdict = F.struct(F.lit(reason).alias("reason"), message.alias("message"))
            reject = F.when(broken, verdict).otherwise(reject)
        return events.withColumn("reject", reject)

    return transform


def _bad_text() -> Column:
    """NUL and lone surrogates appear in JSON as escapes only; look closer only where one is."""
    suspicious = F.col("payload").contains("\\u") | F.col("payload").contains("\x00")
    text = F.regexp_replace("payload", r"\\\\", "")  # an escaped backslash hides the u after it
    without_pairs = F.regexp_replace(text, r"(?i)\\ud[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2}", "")
    return suspicious & without_pairs.rlike(r"(?i)\\u0000|\\ud[89a-f][0-9a-f]{2}|\x00")


def _missing() -> Column:
    # bad_fields says more than "missing" where a time is there but is no time.
    required = [name for name in ("event", "event_id", "client_time") if name in FIELDS]
    marks = [
        F.when(
            F.col(name).isNull() & ~F.col("bad_fields").contains(name) | (F.col(name).cast("string") == ""), F.lit(name)
        )
        for name in required
    ]
    nobody = F.coalesce(F.col("visitor_id"), F.lit("")) == ""
    marks.append(F.when(nobody & (F.coalesce("event", F.lit("")) != "item_update"), F.lit("visitor_id or user_id")))
    no_item = (F.coalesce("event", F.lit("")) == "item_update") & F.col("item_id").isNull()
    marks.append(F.when(no_item, F.lit("item_id")))
    return F.concat_ws(", ", *marks)


def _too_long(limits: Events) -> Column:
    marks = [F.when(F.length(name) > limits.max_id_chars, F.lit(name)) for name in IDS]
    marks += [F.when(F.length(name) > limits.max_text_chars, F.lit(name)) for name in TEXTS]
    return F.concat_ws(", ", *marks)


def _length_limits(limits: Events) -> str:
    return f"Longer than {limits.max_id_chars} (ids) or {limits.max_text_chars} (texts) characters: "


def _out_of_range() -> Column:
    marks = []
    for name, (low, high) in RANGES.items():
        broken = F.lit(False)
        if low is not None:
            broken = broken | (F.col(name) < low)
        if high is not None:
            broken = broken | (F.col(name) > high)
        marks.append(F.when(broken, F.lit(name)))
    return F.concat_ws(", ", *marks)


def _too_old(oldest: str) -> Column:
    first = F.lit(date.fromisoformat(oldest)).cast("timestamp")
    return F.coalesce(F.least("occurred_at", "client_time") < first, F.lit(False))


def _future(minutes: int) -> Column:
    limit = F.col("received_at") + F.expr(f"INTERVAL {minutes} MINUTES")
    return F.coalesce(F.col("occurred_at") > limit, F.lit(False))


def _named(text: str, names: Column) -> Column:
    return F.concat(F.lit(text), names, F.lit("."))
