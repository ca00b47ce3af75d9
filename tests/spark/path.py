"""The whole path in one process, and what the oracle says that it must give."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import Row, SparkSession

from nextclick.contracts import catalog
from nextclick.lake import delta
from nextclick.settings import Settings
from spark_jobs import jobs, tables
from spark_jobs.run_jobs import job
from spark_jobs.streaming import Trigger
from tests import oracle
from tests import oracle_of_visits as of_visits

Event = Mapping[str, Any]
SITE: Final = "default"
"""Of events that name none: those which the oracle follows."""


def run_jobs(spark: SparkSession, settings: Settings, names: Sequence[str] = jobs.ALL) -> None:
    for name in names:
        job(name)(spark, settings, Trigger.AVAILABLE_NOW)


def rows(settings: Settings, table: str, site: str | None = None) -> list[Row]:
    """What Spark's `collect` gives, read by another reader of the table; of a `site`, where the table says whose a row is."""
    present = delta.require(settings.lake, table).to_pyarrow_table()
    if site is not None and "site" in present.column_names:
        present = present.filter(pc.field("site") == site)
    kinds = {field.name: field.type for field in present.schema}
    return [Row(**{name: _as_spark(row[name], kind) for name, kind in kinds.items()}) for row in present.to_pylist()]


def _as_spark(value: Any, kind: pa.DataType) -> Any:
    if value is None:
        return None
    if pa.types.is_timestamp(kind):
        return value.astimezone().replace(tzinfo=None)
    if pa.types.is_map(kind):
        return {key: _as_spark(part, kind.item_type) for key, part in value}
    if pa.types.is_list(kind):
        return [_as_spark(part, kind.value_type) for part in value]
    if pa.types.is_struct(kind):
        return Row(**{field.name: _as_spark(value[field.name], field.type) for field in kind})
    return value


def versions(settings: Settings) -> dict[str, int]:
    """The newest version of each table that Spark writes."""
    return {table.name: tables.version(settings.lake, table) for table in catalog.TABLES}


def digest(settings: Settings, table: str, site: str | None = None) -> Counter[str]:
    """What `digest_of` says of a table, or of what a site has there."""
    return digest_of(rows(settings, table, site))


def digest_of(table: Sequence[Row]) -> Counter[str]:
    """Every row as text, in no order; floats to 1e-9; `seq` left out where it says which equal copy came first."""
    skip = {"seq", "received_at"}
    return Counter(
        repr(sorted((name, _rounded(value)) for name, value in row.asDict(recursive=True).items() if name not in skip))
        for row in table
    )


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 9)
    if isinstance(value, dict):
        return sorted((key, _rounded(part)) for key, part in value.items())
    return value


def assert_equals_oracle(settings: Settings, landed: Sequence[Event]) -> None:
    """Silver and gold are what plain Python makes of the landed events of SITE."""
    read = partial(rows, settings, site=SITE)
    assert_silver_equals_oracle(settings, landed)
    events, _, _ = oracle.first_arrivals(landed)
    pairs = {(row.person_id, row.item_id): (round(row.strength, 9), row.events) for row in read("gold.interactions")}
    half_life = settings.interactions.half_life.total_seconds() * 1000
    assert pairs == oracle.interactions(events, settings.interactions.weights, half_life)

    zone = settings.analytics.timezone
    visits = of_visits.people_visits(events, *_gaps(settings))
    traffic = Counter[Any]()
    for row in read("gold.traffic_daily"):
        traffic[row.date] += row.sessions
    assert traffic == Counter(oracle.day(visit.start, zone) for visit in visits)

    counts = Counter[Any]()
    columns = {"served": "served", "shown": "shown", "clicked": "clicks", "carted": "carts", "purchased": "purchases"}
    for row in read("gold.recommendation_performance"):
        counts += Counter({(row.date, row.position, name): row[column] for name, column in columns.items()})
        assert row.ctr == (row.clicks / row.shown if row.shown else None)
    assert counts == oracle.performance(_fates(settings, events).values(), zone)

    items = Counter[Any]()
    for row in read("gold.item_daily"):
        items += Counter({(row.date, row.item_id, name): row[name] for name in ("views", "carts", "purchases")})
    assert items == oracle.items_a_day(events, zone)
    _assert_visits_equal_oracle(settings, events, visits)
    came = [row.asDict() for row in read("gold.visits")]
    assert campaigns(settings) == oracle.campaigns(came, ())


def campaigns(settings: Settings, site: str = SITE) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    """gold.campaign_daily as the oracle says it."""
    table = rows(settings, "gold.campaign_daily", site)
    said = {tuple(row[name] for name in oracle.CAMPAIGN): tuple(row[name] for name in oracle.PAID) for row in table}
    assert len(said) == len(table)
    return said


def _assert_visits_equal_oracle(settings: Settings, events: Sequence[Event], visits: Sequence[of_visits.Visit]) -> None:
    """What build_visits made is what plain Python makes of the visits; rows are said as the oracle says them."""
    zone, analytics = settings.analytics.timezone, settings.analytics
    read = partial(rows, settings, site=SITE)
    starts = {row.session_id: _ms(row.started_at) for row in read("gold.visits")}
    assert Counter(
        (
            *(row.date, row.visitor_id, _ms(row.started_at), row.events, row.views, row["items"], row.orders),
            *(row.source, row.user_id, row.goals.get("pro", 0), tuple(sorted(row.revenue.items()))),
        )
        for row in read("gold.visits")
    ) == of_visits.rows(visits, zone)
    assert {
        (row.date, row.visitor_id): (
            row.visits,
            row.events,
            row.views,
            row.orders,
            row.goals.get("pro", 0),
            row.revenue,
        )
        for row in read("gold.visitor_days")
    } == of_visits.visitor_days(visits, zone)
    assert {
        (row.date, row.event, row.platform): (row.events, row.visitors, row.visits) for row in read("gold.event_daily")
    } == of_visits.events_a_day(events, visits, zone)
    assert {
        (row.date, row.page): (row.views, row.visitors, row.entries, row.exits, row.entry_bounces)
        for row in read("gold.page_daily")
    } == of_visits.pages_a_day(visits, zone, analytics.pages_max)
    converted = {}
    for row in read("gold.conversions"):
        order = row.conversion_id.partition(":")[2]
        key = row.visitor_id, row.goal, order or starts[row.conversion_id.partition("@")[2]]
        path = tuple((_ms(touch["at"]), touch["source"]) for touch in row.path)
        assert row.path_n == len(path)
        converted[key] = (_ms(row["at"]), row.date, row.revenue, row["items"], path)
    assert converted == of_visits.conversions(visits, zone, analytics.lookback_days * 86_400_000)


def _ms(time: datetime) -> int:
    return round(time.timestamp() * 1000)


def assert_silver_equals_oracle(settings: Settings, landed: Sequence[Event]) -> None:
    """Events, quarantine, sessions and served items are what plain Python makes of the landed events of SITE; no other was refused."""
    read = partial(rows, settings, site=SITE)
    events, duplicates, collisions = oracle.first_arrivals(landed)
    silver = read("silver.events")
    assert Counter(row.event_id for row in silver) == Counter(event["event_id"] for event in events)
    quarantine = read("silver.quarantine")
    assert [row.reason for row in quarantine] == ["id_collision"] * collisions
    assert len(landed) == len(silver) + len(quarantine) + duplicates
    sessions = Counter(
        (
            row.visitor_id,
            _ms(row.started_at),
            _ms(row.ended_at),
            row.events,
            row.item_views,
            row.purchases,
            tuple(sorted(row.revenue.items())),
            row.entry_page,
            row.exit_page,
        )
        for row in read("silver.sessions")
    )
    assert sessions == oracle.sessions(events, *_gaps(settings))

    assert {
        (row.request_id, row.item_id): {
            "position": row.position,
            "agent": row.user_agent,
            "revenue": row.revenue,
            **{name: row[f"{name}_at"] and _ms(row[f"{name}_at"]) for name in ("served", *oracle.ACTS)},
        }
        for row in read("silver.served_items")
    } == _fates(settings, events)


def _gaps(settings: Settings) -> tuple[int, dict[str, int]]:
    """The gap in milliseconds, and those of sites that have their own."""
    of_sites = {site: minutes * 60_000 for site, minutes in settings.sessions.gaps.items()}
    return settings.sessions.gap_minutes * 60_000, of_sites


def _fates(settings: Settings, events: Sequence[Event]) -> oracle.Fates:
    """Of each item that was served what became of it."""
    limits = settings.attribution
    return oracle.served_items(events, limits.request_hours * 60, limits.click_minutes, limits.purchase_hours * 60)
