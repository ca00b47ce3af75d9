"""What a schema cannot say, by hand: times in order, every event accounted for, flow, lists that can be shown."""

import sys
from collections.abc import Callable
from typing import Final

from expectations.expectation import Expectation, Of, Severity, fact, none_of, rows
from nextclick.settings import Settings
from nextclick.tables import bronze, gold, silver

WARN: Final = Severity.WARN


def ordered(table: str, low: str, high: str) -> Expectation:
    """`low` is at most `high` in every row that has both."""
    return rows(
        table,
        f"{low}_at_most_{high}",
        f"{low} is at most {high}.",
        "ExpectColumnPairValuesAToBeGreaterThanB",
        column_A=high,
        column_B=low,
        or_equal=True,
        ignore_row_if="either_value_is_missing",
    )


def finite(table: str, column: str, positive: bool = False) -> Expectation:
    """Neither NaN, which Spark sorts above everything, nor infinite."""
    return rows(
        table,
        f"{column}_finite",
        f"{column} is finite{' and above 0' if positive else ''}.",
        "ExpectColumnValuesToBeBetween",
        column=column,
        min_value=0 if positive else -sys.float_info.max,
        max_value=sys.float_info.max,
        strict_min=positive,
    )


def _known_items(table: str) -> Expectation:
    return none_of(table, "unknown_items", "Every item is known in gold.interactions or silver.items.", of=Of.NEW)


def _bronze_events(settings: Settings) -> tuple[Expectation, ...]:
    table = bronze.EVENTS.name
    return (
        none_of(table, "missing", "Bronze has every line that its landing segments were published with.", WARN),
        none_of(table, "excess", "Bronze has no line beyond those.", WARN),
        none_of(
            table, "unknown_fields", "New events carry no field that nextclick/events.py does not know.", WARN, Of.NEW
        ),
    )


def _silver_events(settings: Settings) -> tuple[Expectation, ...]:
    table, quality = silver.EVENTS.name, settings.quality
    residual = "Every bronze row is in silver.events, in silver.quarantine, or a copy of an event in silver.events."
    hours, ratio = quality.freshness_hours, quality.volume_ratio
    return (
        none_of(table, "residual", residual, Severity(quality.residual_severity)),
        none_of(table, "doubled", "No bronze row is in silver.events and silver.quarantine together more than once."),
        fact(table, "fresh", f"The newest event arrived at most {hours} hours ago.", WARN, at_most=hours),
        fact(
            table,
            "volume",
            f"The last whole UTC day brought between 1/{ratio:g} and {ratio:g} times the mean of the 7 days before it "
            "(imports left out).",
            WARN,
            at_least=1 / ratio,
            at_most=ratio,
        ),
    )


def _silver_quarantine(settings: Settings) -> tuple[Expectation, ...]:
    return (none_of(silver.QUARANTINE.name, "new_rejects", "Nothing was rejected since the last check.", WARN, Of.NEW),)


def _silver_items(settings: Settings) -> tuple[Expectation, ...]:
    return (ordered(silver.ITEMS.name, "first_seen", "last_seen"),)


def _silver_sessions(settings: Settings) -> tuple[Expectation, ...]:
    return (ordered(silver.SESSIONS.name, "started_at", "ended_at"),)


def _silver_impressions(settings: Settings) -> tuple[Expectation, ...]:
    return tuple(ordered(silver.IMPRESSIONS.name, "shown_at", at) for at in ("clicked_at", "carted_at", "purchased_at"))


def _gold_interactions(settings: Settings) -> tuple[Expectation, ...]:
    table = gold.INTERACTIONS.name
    return (finite(table, "strength", positive=True), ordered(table, "first_at", "last_at"))


def _gold_traffic_daily(settings: Settings) -> tuple[Expectation, ...]:
    table = gold.TRAFFIC_DAILY.name
    return tuple(ordered(table, part, "sessions") for part in ("visitors", "bounces", "conversions"))


def _gold_recommendation_performance(settings: Settings) -> tuple[Expectation, ...]:
    table = gold.RECOMMENDATION_PERFORMANCE.name
    return (
        ordered(table, "shown", "served"),
        *(ordered(table, part, "shown") for part in ("clicks", "carts", "purchases")),
    )


def _gold_recommendations(settings: Settings) -> tuple[Expectation, ...]:
    table, length = gold.RECOMMENDATIONS.name, settings.export.top_n
    masked = (none_of(table, "seen_items", "No list holds an item that its person already used.", of=Of.NEW),)
    return (
        finite(table, "score"),
        none_of(table, "repeated_items", "No list holds an item twice.", of=Of.NEW),
        *(masked if settings.export.mask_seen else ()),
        _known_items(table),
        none_of(table, "unknown_people", "Every person is known in gold.interactions.", of=Of.NEW),
        none_of(table, "broken_ranks", "The ranks of a list are 1, 2, 3, … without a gap.", of=Of.NEW),
        none_of(
            table,
            "wrong_lengths",
            f"A list holds export.top_n = {length} items, or all items that its person can be shown.",
            WARN,
            Of.NEW,
        ),
    )


def _gold_popular_items(settings: Settings) -> tuple[Expectation, ...]:
    table = gold.POPULAR_ITEMS.name
    return (
        finite(table, "score"),
        none_of(table, "repeated_items", "The list holds no item twice.", of=Of.NEW),
        _known_items(table),
    )


def _gold_similar_items(settings: Settings) -> tuple[Expectation, ...]:
    table = gold.SIMILAR_ITEMS.name
    return (
        finite(table, "score"),
        none_of(table, "repeated_items", "No list holds an item twice.", of=Of.NEW),
        none_of(table, "own_items", "No item is similar to itself.", of=Of.NEW),
        _known_items(table),
    )


def _gold_next_items(settings: Settings) -> tuple[Expectation, ...]:
    table = gold.NEXT_ITEMS.name
    return (
        finite(table, "score"),
        none_of(table, "repeated_items", "No list holds an item twice.", of=Of.NEW),
        none_of(table, "own_items", "No item follows itself.", of=Of.NEW),
        _known_items(table),
    )


def _gold_item_vectors(settings: Settings) -> tuple[Expectation, ...]:
    table = gold.ITEM_VECTORS.name
    return (
        none_of(
            table, "broken_vectors", "Every vector is of finite numbers, as many as every other of its site.", of=Of.NEW
        ),
        _known_items(table),
    )


WRITTEN: Final[dict[str, Callable[[Settings], tuple[Expectation, ...]]]] = {
    bronze.EVENTS.name: _bronze_events,
    silver.EVENTS.name: _silver_events,
    silver.QUARANTINE.name: _silver_quarantine,
    silver.ITEMS.name: _silver_items,
    silver.SESSIONS.name: _silver_sessions,
    silver.IMPRESSIONS.name: _silver_impressions,
    gold.INTERACTIONS.name: _gold_interactions,
    gold.TRAFFIC_DAILY.name: _gold_traffic_daily,
    gold.RECOMMENDATION_PERFORMANCE.name: _gold_recommendation_performance,
    gold.RECOMMENDATIONS.name: _gold_recommendations,
    gold.POPULAR_ITEMS.name: _gold_popular_items,
    gold.SIMILAR_ITEMS.name: _gold_similar_items,
    gold.NEXT_ITEMS.name: _gold_next_items,
    gold.ITEM_VECTORS.name: _gold_item_vectors,
}
