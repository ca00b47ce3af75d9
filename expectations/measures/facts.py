"""Facts: numbers over many rows or several tables, measured by DuckDB and judged like everything else.

A fact has the name of its expectation. FACTS holds those of bronze and silver; those of
the published lists are in list_facts.py, those of visits in visit_facts.py, those of attribution in
credit_facts.py, those of predictions in prediction_facts.py, those of audiences in audience_facts.py, those of
anomalies in anomaly_facts.py.
"""

import math
from typing import Final

import msgspec

from expectations.due import CheckTask
from expectations.measures import anomaly_facts, audience_facts, credit_facts, list_facts, prediction_facts, visit_facts
from expectations.measures.arrivals import hours_since_arrival
from expectations.measures.column_types import differences
from expectations.measures.measure_context import Fact, Measure, MeasureContext, RunCache, looking
from expectations.suites.expectation import Of
from nextclick.contracts import bronze, silver
from nextclick.contracts import events as wire
from nextclick.errors import LakeError


def measure(part: CheckTask, lakewide: RunCache) -> dict[str, Fact]:
    """The facts that the part's suite asks for."""
    known = of_table(part.table.name)
    names = [one.name for one in part.suite if one.of is not Of.ROWS]
    try:
        with looking(part, lakewide) as look:
            return {name: _measured(known[name], look) for name in names}
    except LakeError as error:
        return dict.fromkeys(names, _not_measured(error))


def of_table(table: str) -> dict[str, Measure]:
    """The facts that are measured of a table, by name."""
    rooms = (
        FACTS, list_facts.FACTS, visit_facts.FACTS, credit_facts.FACTS, prediction_facts.FACTS, audience_facts.FACTS, anomaly_facts.FACTS,
    )  # fmt: skip
    return EVERYWHERE | {name: fact for facts in rooms for name, fact in facts.get(table, {}).items()}


def _measured(fact: Measure, look: MeasureContext) -> Fact:
    import duckdb

    try:
        return fact(look)
    except (duckdb.Error, LakeError) as error:
        return _not_measured(error)


def _not_measured(error: Exception) -> Fact:
    """What cannot be measured, since a column is not there or a file is damaged, is beyond every limit."""
    return Fact(math.inf, f"cannot be measured: {error}")


def types(look: MeasureContext) -> Fact:
    mismatches = differences(look.part.table, look.part.delta.schema().to_json())
    return Fact(len(mismatches), "; ".join(mismatches) or "as the contract says")


def key_unique(look: MeasureContext) -> Fact:
    return look.repeated("keys are there more than once", look.part.table.key, among="whole")


def reconciled(name: str, words: str) -> Measure:
    """One of the counts of nextclick.reconciliation."""

    def fact(look: MeasureContext) -> Fact:
        counts = look.lakewide.reconciliation
        number: int = getattr(counts, name)
        return Fact(number, f"{number:,} {words} ({counts.accepted:,} accepted)")

    return fact


def unknown_fields(look: MeasureContext) -> Fact:
    """Top-level fields of new payloads that nobody knows; silver keeps them in `properties`."""
    known = [*(field.name for field in msgspec.structs.fields(wire.Event)), *wire.ALIASES]
    (names,) = look.row(_UNKNOWN_FIELDS, known=known)
    return Fact(len(names), ", ".join(names)[:200] or "none")


_UNKNOWN_FIELDS: Final = """
SELECT coalesce(list(field ORDER BY field), [])
FROM (
    SELECT DISTINCT unnest(fields) AS field
    FROM (SELECT DISTINCT json_keys(payload) AS fields FROM new WHERE intact AND json_valid(payload))
)
WHERE NOT list_contains($known::VARCHAR[], field)
"""


def unread_fields(look: MeasureContext) -> Fact:
    """New events with a field that could not be read, by field and source: a tracker is broken."""
    (events,) = look.row("SELECT count(*) FROM new WHERE len(unread_fields) > 0")
    counts = look.duck.execute(_UNREAD_FIELDS).fetchall()
    words = ", ".join(f"{count:,} {field} ({source})" for field, source, count in counts)
    return Fact(events, words or "none")


_UNREAD_FIELDS: Final = """
SELECT field, source, count(*) FROM (SELECT unnest(unread_fields) AS field, source FROM new)
GROUP BY ALL ORDER BY 3 DESC, 1, 2 LIMIT 10
"""


def new_rejects(look: MeasureContext) -> Fact:
    """New rows of quarantine, by reason and by who rejected them."""
    counts = look.duck.execute("SELECT reason, origin, count(*) FROM new GROUP BY ALL ORDER BY 3 DESC, 1, 2").fetchall()
    words = ", ".join(f"{count:,} {reason} ({origin})" for reason, origin, count in counts)
    return Fact(sum(count for _, _, count in counts), words or "none")


def fresh(look: MeasureContext) -> Fact:
    hours = hours_since_arrival(look.part.delta)
    return Fact(hours, "no event yet" if hours is None else f"{hours:.1f} hours ago")


def volume(look: MeasureContext) -> Fact:
    """Arrivals of the last whole UTC day ÷ their mean over the 7 days before; imports bring history, not traffic."""
    day, mean, days = look.row(_VOLUME)
    if not mean or days < 8:
        return Fact(None, "not yet 8 whole days of traffic")
    return Fact(day / mean, f"{day:,} events against {mean:,.0f} a day")


_VOLUME: Final = """
WITH arrivals AS (
    SELECT received_at::DATE AS day, count(*) AS events FROM whole WHERE source NOT LIKE 'import:%' GROUP BY day
), newest AS (SELECT max(received_at)::DATE AS today FROM whole)
SELECT coalesce(sum(events) FILTER (day = today - 1), 0),
       coalesce(sum(events) FILTER (day BETWEEN today - 8 AND today - 2), 0) / 7,
       date_diff('day', min(day), any_value(today))
FROM arrivals, newest
"""

EVERYWHERE: Final[dict[str, Measure]] = {"types": types, "key_unique": key_unique}
FACTS: Final[dict[str, dict[str, Measure]]] = {
    bronze.EVENTS.name: {
        "missing": reconciled("missing", "lines are missing"),
        "unexpected": reconciled("unexpected", "lines too many"),
        "unknown_fields": unknown_fields,
    },
    silver.EVENTS.name: {
        "residual": reconciled("residual", "events are nowhere"),
        "double_counted": reconciled("double_counted", "rows too many"),
        "unread_fields": unread_fields,
        "fresh": fresh,
        "volume": volume,
    },
    silver.QUARANTINE.name: {"new_rejects": new_rejects},
}
