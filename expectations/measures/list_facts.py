"""Facts of the published lists: can every one of them be shown as it stands?

Lists are judged against gold.interactions as it was when they were made (the manifest's
cursor): what a person used since then cannot be masked yet.
"""

from typing import Final

from expectations.measures.measure_context import Fact, Measure, MeasureContext
from nextclick.contracts import gold, gold_lists, silver
from nextclick.lake import lists_manifest


def _with_interactions(look: MeasureContext) -> None:
    """Add the views `used` (site, person_id, item_id) and `known` (site, item_id)."""
    lists = look.part.version if look.part.table is gold_lists.RECOMMENDATIONS else None
    manifest = lists_manifest.read(look.settings.lake, lists)
    cursor = manifest.interactions_version if manifest else None
    look.neighbour("used", gold.INTERACTIONS.name, cursor)
    look.neighbour("items", silver.ITEMS.name)


def no_item_twice(*key: str) -> Measure:
    """Items that one list holds more than once; a list is what has the same `key` but for its last column."""

    def measure(look: MeasureContext) -> Fact:
        return look.repeated("items stand in a list more than once", key, among="new")

    return measure


def seen_items(look: MeasureContext) -> Fact:
    _with_interactions(look)
    return look.count(
        "places hold an item that the person used", "FROM new SEMI JOIN used USING (site, person_id, item_id)"
    )


def known_items(*columns: str) -> Measure:
    """Ids in `columns` that neither gold.interactions nor silver.items has."""

    def measure(look: MeasureContext) -> Fact:
        _with_interactions(look)
        shown = " UNION ".join(f"SELECT DISTINCT site, {column} AS item_id FROM new" for column in columns)
        known = "(SELECT site, item_id FROM used UNION ALL SELECT site, item_id FROM items)"
        return look.count("items are unknown", f"FROM ({shown}) ANTI JOIN {known} USING (site, item_id)")

    return measure


def unknown_people(look: MeasureContext) -> Fact:
    _with_interactions(look)
    people = "(SELECT DISTINCT site, person_id FROM new)"
    return look.count("people are unknown", f"FROM {people} ANTI JOIN used USING (site, person_id)")


def broken_ranks(look: MeasureContext) -> Fact:
    broken = "FROM new GROUP BY site, person_id HAVING min(rank) <> 1 OR max(rank) <> count(*)"
    return look.count("lists have gaps", f"SELECT 1 {broken}")


def wrong_lengths(look: MeasureContext) -> Fact:
    _with_interactions(look)
    limits = look.settings.lists
    return look.count("lists have another length", _LENGTHS, n=limits.top_n, masked=int(limits.mask_seen))


_LENGTHS: Final = """
SELECT 1
FROM (SELECT site, person_id, count(*) AS length FROM new GROUP BY ALL)
JOIN (SELECT site, count(DISTINCT item_id) AS items FROM used GROUP BY ALL) USING (site)
LEFT JOIN (SELECT site, person_id, count(*) AS seen FROM used GROUP BY ALL) USING (site, person_id)
WHERE length <> least($n, items - $masked * coalesce(seen, 0))
"""


def own_items(column: str) -> Measure:
    return lambda look: look.count("places hold the item itself", f"FROM new WHERE item_id = {column}")


def broken_vectors(look: MeasureContext) -> Fact:
    broken = "FROM new WHERE len(vector) = 0 OR len(list_filter(vector, lambda x: NOT isfinite(x))) > 0"
    lengths = "FROM (SELECT DISTINCT site, len(vector) FROM new) GROUP BY site HAVING count(*) > 1"
    return look.count("vectors are broken", f"SELECT 1 {broken} UNION ALL SELECT 1 {lengths}")


FACTS: Final[dict[str, dict[str, Measure]]] = {
    gold_lists.RECOMMENDATIONS.name: {
        "repeated_items": no_item_twice("site", "person_id", "item_id"),
        "seen_items": seen_items,
        "unknown_items": known_items("item_id"),
        "unknown_people": unknown_people,
        "broken_ranks": broken_ranks,
        "wrong_lengths": wrong_lengths,
    },
    gold_lists.POPULAR_ITEMS.name: {
        "repeated_items": no_item_twice("site", "item_id"),
        "unknown_items": known_items("item_id"),
    },
    gold_lists.SIMILAR_ITEMS.name: {
        "repeated_items": no_item_twice("site", "item_id", "similar_item_id"),
        "own_items": own_items("similar_item_id"),
        "unknown_items": known_items("item_id", "similar_item_id"),
    },
    gold_lists.NEXT_ITEMS.name: {
        "repeated_items": no_item_twice("site", "item_id", "next_item_id"),
        "own_items": own_items("next_item_id"),
        "unknown_items": known_items("item_id", "next_item_id"),
    },
    gold_lists.ITEM_VECTORS.name: {"broken_vectors": broken_vectors, "unknown_items": known_items("item_id")},
}
