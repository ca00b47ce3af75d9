"""Facts of what is counted of visits: the tables of one job say the same of each day."""

from collections.abc import Sequence
from typing import Final

from expectations.measures.measure_context import Fact, Measure, MeasureContext
from nextclick.contracts import gold_analytics as gold
from nextclick.contracts import silver_imported
from nextclick.lake import delta


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


def unlike_visits_and_costs(look: MeasureContext) -> Fact:
    """Days, sites and currencies (empty: that of visits) whose sums are not those of gold.visits and silver.costs."""
    if newer := _newer(look, gold.VISITS.name, silver_imported.COSTS.name):
        return Fact(None, f"{', '.join(newer)}: written since, so not compared")
    look.neighbour("visits", gold.VISITS.name)
    look.neighbour("costs", silver_imported.COSTS.name)
    sums = ("visits", "cost", "impressions", "clicks")
    differ = " OR ".join(f"coalesce(sum({name}), 0) <> 0" for name in sums)
    rows = f"""
        SELECT date, site, currency, {", ".join(sums)} FROM whole
        UNION ALL SELECT date, site, '', -1, 0, 0, 0 FROM visits
        UNION ALL SELECT date, site, currency, 0, -cost, -impressions, -clicks FROM costs
    """
    unlike = f"SELECT 1 FROM ({rows}) GROUP BY date, site, currency HAVING {differ}"
    return look.count("days of a site differ from gold.visits and silver.costs", unlike)


def _newer(look: MeasureContext, *names: str) -> list[str]:
    """Tables that were written after this version."""
    lake = look.settings.lake
    since = delta.committed_ms(lake, look.part.table.name, look.part.delta) or 0
    tables = {name: delta.open_table(lake, name) for name in names}
    return [name for name, table in tables.items() if table and (delta.committed_ms(lake, name, table) or 0) > since]


FACTS: Final[dict[str, dict[str, Measure]]] = {
    gold.VISITOR_DAYS.name: {"unlike_visits": unlike_visits([("sum(visits)", "count(*)")])},
    gold.PAGE_DAILY.name: {
        "unlike_visits": unlike_visits(
            [("sum(entries)", "count(entry_page)"), ("sum(exits)", "count(exit_page)")],
        )
    },
    gold.CAMPAIGN_DAILY.name: {"unlike_visits_and_costs": unlike_visits_and_costs},
    gold.CONVERSIONS.name: {"unknown_visits": unknown_visits, "broken_paths": broken_paths},
}
