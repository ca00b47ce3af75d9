"""What purchases and refunds come to: an order counts once, however often it is sent; no pieces are no purchase; a refund is negative."""

from collections.abc import Iterable
from typing import Final

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from nextclick.contracts.events import WITH_PIECES
from nextclick.contracts.silver import AMOUNT
from spark_jobs.transforms import Transformer

LINE: Final = ("order_id", "item_id")
"""What names a line of an order within its owner."""

VISITORS_LINE: Final = ("site", "visitor_id", *LINE)
"""What names a line of a visitor's order."""

NO_ORDER: Final = (
    "", "0", "-", "null", "none", "nil", "nan", "undefined", "unknown", "false", "true", "n/a", "(not set)", "[object object]",
)  # fmt: skip
"""Words that programs write where they know no order, in lower case: purchases with them are not one order."""

NAMED: Final = f"(order_id IS NOT NULL AND lower(trim(order_id)) NOT IN ({', '.join(map(repr, NO_ORDER))}))"
"""SQL: the event names its order."""

ORDERED: Final = f"(event = 'purchase' AND NOT quantity <=> 0 AND {NAMED})"
"""SQL: the event is a purchase that names its order."""

REFUNDED: Final = f"(event = 'refund' AND NOT quantity <=> 0 AND item_id IS NOT NULL AND {NAMED})"
"""SQL: the event pays an item of an order back."""

SENT_OR_REFUNDED: Final = f"({ORDERED} OR {REFUNDED})"
"""SQL: the event names a line of an order."""

_PART: Final = "#[0-9]+$"
_MADE: Final = "^[0-9a-f]{32}#"
"""An id that was made of the event's payload (contracts.events.payload_id)."""


def of_kind(*kinds: str) -> Column:
    """The event is of one of the kinds, and not of 0 pieces."""
    return F.expr(_of_kind(*kinds))


def amount() -> Column:
    """What a purchase brought, or a refund took; null for any other event, and where no price is said."""
    sign = f"CASE WHEN {_of_kind('purchase')} THEN 1 WHEN {_of_kind('refund')} THEN -1 END"
    return F.expr(f"cast(price * coalesce(quantity, 1) * {sign} AS {AMOUNT})")


def _of_kind(*kinds: str) -> str:
    """SQL, one text: built operator by operator, the kinds of a session were a thousand calls into the JVM for every batch."""
    return f"(event IN ({_listed(kinds)}) AND NOT (event IN ({_listed(WITH_PIECES)}) AND quantity <=> 0))"


def _listed(words: Iterable[str]) -> str:
    return ", ".join(repr(word) for word in words)


def counts(at: str, id: str, first: str) -> str:
    """SQL: of the sends of one line (time `at`, event `id`), this one counts, where `first` is a struct of the first one's.

    An order may hold an item twice, in two sizes: these are parts of one record (`ID#0`, `ID#1`), and both count. Parts of
    another record are another send, though it may tell the same time, as a server does that tells when the order was made.
    Ids that the door made of each part tell the record not: of these, other numbers are other parts.
    """
    one = f"{first}.id"
    is_same = f"{_record(id)} = {_record(one)}"
    is_made = f"{id} RLIKE '{_MADE}' AND {one} RLIKE '{_MADE}' AND substring({id}, 33) <> substring({one}, 33)"
    return f"({at} = {first}.at AND ({id} = {one} OR ({id} RLIKE '{_PART}' AND ({is_same} OR ({is_made})))))"


def _record(id: str) -> str:
    """SQL: the id of an event without the number of its part."""
    return f"trim(TRAILING '0123456789' FROM {id})"


def once(owner: str) -> Transformer:
    """Leave out purchases that were sent before by the same `owner`, on the same site, with the same order and item."""

    def transform(events: DataFrame) -> DataFrame:
        sends = events.where(ORDERED).transform(once_in_place(owner))
        return events.where(f"NOT coalesce({ORDERED}, false)").unionByName(sends)

    return transform


def settled(owner: str) -> Transformer:
    """`once`, with each refund of an item of an order in the place of what it pays back: its time and answer, and its currency where
    the refund says none. Refunds of what is not known, or of no order, are left out.
    """

    def transform(events: DataFrame) -> DataFrame:
        line = Window.partitionBy("site", owner, *LINE)
        sent = F.struct(F.col("occurred_at").alias("at"), F.col("event_id").alias("id"), "request_id", "currency")
        known = events.where(SENT_OR_REFUNDED).withColumn("_first", F.min(F.when(F.expr(ORDERED), sent)).over(line))
        counted = known.where(
            f"({ORDERED} AND {counts('occurred_at', 'event_id', '_first')}) OR ({REFUNDED} AND _first IS NOT NULL)"
        )
        moved = {"occurred_at": "_first.at", "request_id": "_first.request_id", "user_agent": "cast(NULL AS string)"}
        columns = {name: F.expr(f"CASE WHEN {REFUNDED} THEN {value} ELSE {name} END") for name, value in moved.items()}
        columns["currency"] = F.expr(f"CASE WHEN {REFUNDED} THEN coalesce(currency, _first.currency) ELSE currency END")
        return events.where(f"NOT coalesce({ORDERED}, false) AND event <> 'refund'").unionByName(
            counted.withColumns(columns).drop("_first")
        )

    return transform


def once_in_place(owner: str) -> Transformer:
    """`once` in a single pass over the events: for those that cost more to make twice than to sort.

    They come out sorted by `owner`, item and site, so that what counts by these need not sort them again.
    """

    def transform(events: DataFrame) -> DataFrame:
        line = Window.partitionBy(owner, "item_id", "site", "order_id")
        sent = F.struct(F.col("occurred_at").alias("at"), F.col("event_id").alias("id"))
        known = events.withColumn("_first", F.min(F.when(F.expr(ORDERED), sent)).over(line))
        counted = f"NOT coalesce({ORDERED}, false) OR {counts('occurred_at', 'event_id', '_first')}"
        return known.where(counted).drop("_first")

    return transform


def other_sends(events: DataFrame, naming: str = ORDERED) -> Transformer:
    """Keep the purchases of the visitors' orders that `events` name: one of them may count in the place of another now.

    `naming`: SQL of the events that do; refunds are among them where they count in the purchase's place.
    """
    lines = events.where(naming).select(*(F.col(name).alias(f"_{name}") for name in VISITORS_LINE)).distinct()
    same = F.expr(" AND ".join(f"{name} <=> _{name}" for name in VISITORS_LINE))

    def transform(everything: DataFrame) -> DataFrame:
        return everything.where(ORDERED).join(lines, same, "left_semi")

    return transform
