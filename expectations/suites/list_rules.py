"""What is expected of lists: each can be shown as it stands."""

from functools import partial
from typing import Final

from expectations.suites.expectation import Expectation, Of, none_of
from expectations.suites.rulebook import WARN, Rulebook, finite, of
from nextclick.contracts import gold_lists
from nextclick.settings import Settings

WRITTEN: Final[Rulebook] = {}
_of = partial(of, WRITTEN)


def _known_items(table: str) -> Expectation:
    return none_of(table, "unknown_items", "Every item is known in gold.interactions or silver.items.", of=Of.NEW)


@_of(gold_lists.RECOMMENDATIONS)
def _gold_recommendations(table: str, settings: Settings) -> tuple[Expectation, ...]:
    length = settings.lists.top_n
    masked = (none_of(table, "seen_items", "No list holds an item that its person already used.", of=Of.NEW),)
    return (
        finite(table, "score"),
        none_of(table, "repeated_items", "No list holds an item twice.", of=Of.NEW),
        *(masked if settings.lists.mask_seen else ()),
        _known_items(table),
        none_of(table, "unknown_people", "Every person is known in gold.interactions.", of=Of.NEW),
        none_of(table, "broken_ranks", "The ranks of a list are 1, 2, 3, … without a gap.", of=Of.NEW),
        none_of(
            table,
            "wrong_lengths",
            f"A list holds lists.top_n = {length} items, or all items that its person can be shown.",
            WARN,
            Of.NEW,
        ),
    )


@_of(gold_lists.POPULAR_ITEMS)
def _gold_popular_items(table: str, settings: Settings) -> tuple[Expectation, ...]:
    return (
        finite(table, "score"),
        none_of(table, "repeated_items", "The list holds no item twice.", of=Of.NEW),
        _known_items(table),
    )


@_of(gold_lists.SIMILAR_ITEMS)
def _gold_similar_items(table: str, settings: Settings) -> tuple[Expectation, ...]:
    return (
        finite(table, "score"),
        none_of(table, "repeated_items", "No list holds an item twice.", of=Of.NEW),
        none_of(table, "own_items", "No item is similar to itself.", of=Of.NEW),
        _known_items(table),
    )


@_of(gold_lists.NEXT_ITEMS)
def _gold_next_items(table: str, settings: Settings) -> tuple[Expectation, ...]:
    return (
        finite(table, "score"),
        none_of(table, "repeated_items", "No list holds an item twice.", of=Of.NEW),
        none_of(table, "own_items", "No item follows itself.", of=Of.NEW),
        _known_items(table),
    )


@_of(gold_lists.ITEM_VECTORS)
def _gold_item_vectors(table: str, settings: Settings) -> tuple[Expectation, ...]:
    return (
        none_of(
            table, "broken_vectors", "Every vector is of finite numbers, as many as every other of its site.", of=Of.NEW
        ),
        _known_items(table),
    )
