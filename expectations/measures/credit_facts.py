"""Facts of attribution: each rule shares out the conversions that there are, and what they earned."""

from collections.abc import Sequence
from typing import Final

from expectations.measures.measure_context import Fact, Measure, MeasureContext
from nextclick.contracts import gold_analytics as gold
from nextclick.definitions.attribution import FITTED, RULES
from nextclick.lake.day_changes import last_cursor


def unlike_conversions(rules: Sequence[str], days: str = "") -> Measure:
    """Sums of a day, site, goal and currency (null: how many conversions) that are not those of the conversions that were read.

    `days` joins to conversions what says of which of them there are credits.
    """
    summed = f"""
        SELECT date, site, goal, rule, currency, revenue AS amount FROM whole
        UNION ALL SELECT date, site, goal, rule, NULL, conversions FROM whole
        UNION ALL SELECT date, site, goal, rule, currency, -amount
        FROM (
            SELECT date, site, goal, paid.key AS currency, paid.value AS amount
            FROM (SELECT *, unnest(map_entries(revenue)) AS paid FROM conversions)
            UNION ALL SELECT date, site, goal, NULL, 1 FROM conversions
        ) {days} CROSS JOIN (SELECT unnest({[*rules]}) AS rule)
    """

    def measure(look: MeasureContext) -> Fact:
        cursor = last_cursor(look.settings.lake, look.part.table.name, f"nextclick.{gold.CONVERSIONS.name}")
        look.neighbour("conversions", gold.CONVERSIONS.name, cursor.version if cursor else None)
        unlike = f"SELECT 1 FROM ({summed}) GROUP BY date, site, goal, rule, currency HAVING sum(amount) <> 0"
        return look.count("sums differ from gold.conversions", unlike)

    return measure


FACTS: Final[dict[str, dict[str, Measure]]] = {
    gold.ATTRIBUTION_DAILY.name: {"unlike_conversions": unlike_conversions(RULES)},
    gold.ATTRIBUTION_FITTED.name: {
        "unlike_conversions": unlike_conversions(FITTED, "SEMI JOIN whole USING (date, site, goal)")
    },
}
