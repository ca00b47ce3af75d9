"""Facts of what is counted of visits: the tables of one job say the same of each day."""

from collections.abc import Sequence
from typing import Final

from expectations.measures.measure_context import Fact, Measure, MeasureContext
from nextclick.contracts import gold_analytics as gold


def unlike_visits(pairs: Sequence[tuple[str, str]]) -> Measure:
    """Days and sites on which a sum over the table's rows (`pairs`: its SQL, then that over gold.visits) is not what visits give."""
    here, there = ([f"{pair[side]} AS sum{at}" for at, pair in enumerate(pairs)] for side in (0, 1))
    sums = " OR ".join(f"coalesce(here.sum{at}, 0) <> coalesce(there.sum{at}, 0)" for at in range(len(pairs)))

    def measure(look: MeasureContext) -> Fact:
        look.neighbour("visits", gold.VISITS.name)
        by_day = "(SELECT date, site, {} FROM {} GROUP BY ALL)"
        joined = (
            f"{by_day.format(', '.join(here), 'whole')} here "
            f"FULL JOIN {by_day.format(', '.join(there), 'visits')} there USING (date, site)"
        )
        return look.count("days of a site differ from gold.visits", f"SELECT 1 FROM {joined} WHERE {sums}")

    return measure


def unknown_visits(look: MeasureContext) -> Fact:
    look.neighbour("visits", gold.VISITS.name)
    return look.count("conversions are of no visit", "FROM new ANTI JOIN visits USING (site, session_id)")


def broken_paths(look: MeasureContext) -> Fact:
    """Paths that are empty, out of order, later than their conversion, or not as long as they say."""
    times = "list_transform(path, lambda touch: touch.at)"
    length = f"len(path) <> least(path_n, {gold.MOST_TOUCHES})"
    broken = f'len(path) = 0 OR {length} OR {times} <> list_sort({times}) OR list_max({times}) > "at"'
    return look.count("paths are broken", f"FROM new WHERE {broken}")


FACTS: Final[dict[str, dict[str, Measure]]] = {
    gold.VISITOR_DAYS.name: {"unlike_visits": unlike_visits([("sum(visits)", "count(*)")])},
    gold.PAGE_DAILY.name: {
        "unlike_visits": unlike_visits(
            [("sum(entries)", "count(entry_page)"), ("sum(exits)", "count(exit_page)")],
        )
    },
    gold.CONVERSIONS.name: {"unknown_visits": unknown_visits, "broken_paths": broken_paths},
}
