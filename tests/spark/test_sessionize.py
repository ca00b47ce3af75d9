"""Sessions, by rows that a reader checks by eye, and by a property test against plain Python."""

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import chain, zip_longest
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession

from nextclick.contracts import silver
from nextclick.settings import SessionsSettings
from spark_jobs.transforms.silver.sessionize import (
    as_sessions,
    event_intervals,
    merge_intervals,
    near_intervals,
    session_intervals,
)
from tests import oracle

pytestmark = pytest.mark.spark

SESSIONS = SessionsSettings(gap_minutes=30, overlong_hours=24, gaps={"shop": 45, "it's": 10})
START = datetime(2026, 1, 1, 23, 50, tzinfo=UTC)
SCHEMA = (
    "site string, visitor_id string, event_id string, event string, occurred_at timestamp, page_url string, channel string, "
    "device string, country string, user_agent string, price decimal(18,4), quantity int, currency string, "
    "dwell_ms bigint, scroll_pct double, item_id string, order_id string"
)


def rows(spark: SparkSession, events: Iterable[dict[str, Any]]) -> DataFrame:
    names = [part.split()[0] for part in SCHEMA.split(", ")]
    base = {"site": "s", "event": "page_view", "channel": "direct"}
    return spark.createDataFrame([tuple((base | event).get(name) for name in names) for event in events], SCHEMA)


def at(minute: float, event_id: str = "", visitor: str = "v", **fields: Any) -> dict[str, Any]:
    occurred = START + timedelta(minutes=minute)
    return {"visitor_id": visitor, "event_id": event_id or f"e{minute}", "occurred_at": occurred} | fields


def sessionize(spark: SparkSession, *batches: list[dict[str, Any]]) -> list[Any]:
    """Merge batch by batch, as the stream does, in the order given."""
    merge = merge_intervals(SESSIONS)
    merged: DataFrame | None = None
    for batch in batches:
        fresh = rows(spark, batch).transform(event_intervals).transform(merge)
        merged = fresh if merged is None else merged.unionByName(fresh).transform(merge)
    assert merged is not None
    sessions = merged.transform(as_sessions(SESSIONS.overlong)).select(*silver.SESSIONS.column_names)
    return sorted(sessions.collect(), key=lambda row: (row.visitor_id, row.started_at))


Cases = Callable[[int], list[Any]]
CASES: list[tuple[list[dict[str, Any]], ...]] = []


def case(*batches: list[dict[str, Any]]) -> int:
    """Batches of visitors of their own, which go through Spark with all other cases: a plan costs the same for one."""
    of = f"{len(CASES)} "
    CASES.append(tuple([event | {"visitor_id": of + event["visitor_id"]} for event in batch] for batch in batches))
    return len(CASES) - 1


@pytest.fixture(scope="module")
def cases(spark: SparkSession) -> Cases:
    """The sessions of a case."""
    together = [list(chain.from_iterable(batch)) for batch in zip_longest(*CASES, fillvalue=[])]
    found = sessionize(spark, *together)
    return lambda number: [row for row in found if row.visitor_id.startswith(f"{number} ")]


GAPS = case([at(0), at(30), at(60 + 1 / 60)])


def test_a_gap_of_thirty_minutes_stays_in_the_session_and_a_second_more_opens_a_new_one(cases: Cases) -> None:
    assert [row.events for row in cases(GAPS)] == [2, 1]


OF_SITES = case(
    [at(minute, f"{site}{minute}", site=site) for site in ("s", "shop") for minute in (0, 40, 90)],
    [at(minute, f"its{minute}", site="it's") for minute in (0, 10, 21)],
)
"""Gaps of 40 and 50 minutes, and of 10 and 11."""


def test_sites_have_gaps_of_their_own(cases: Cases) -> None:
    found = {site: [row.events for row in cases(OF_SITES) if row.site == site] for site in ("s", "shop", "it's")}
    assert found == {"s": [1, 1, 1], "shop": [2, 1], "it's": [2, 1]}


def test_a_session_is_near_a_fresh_event_by_the_gap_of_its_site(spark: SparkSession) -> None:
    """Each distance has a visitor, with a session of minute 0 on each site."""
    near = {10: {"s", "shop", "it's"}, 30: {"s", "shop"}, 45: {"shop"}, 45 + 1 / 60: set[str]()}
    expected = {f"{sign * minute}": sites for minute, sites in near.items() for sign in (1, -1)}
    each = [(site, visitor) for site in ("s", "shop", "it's") for visitor in expected]
    table = rows(spark, [at(0, visitor=visitor, site=site) for site, visitor in each]).transform(event_intervals)
    present = table.transform(merge_intervals(SESSIONS)).transform(as_sessions(SESSIONS.overlong))
    fresh = rows(spark, [at(float(visitor), visitor=visitor, site=site) for site, visitor in each])
    touched = present.transform(session_intervals).transform(near_intervals(fresh.transform(event_intervals), SESSIONS))
    found = [(row.visitor_id, row.site) for row in touched.collect()]
    assert sorted(found) == sorted((visitor, site) for visitor, sites in expected.items() for site in sites)


APART, JOINED = case([at(0), at(50)]), case([at(0), at(50)], [at(25)])


def test_late_event_joins_two_sessions_into_one(cases: Cases) -> None:
    assert [row.events for row in cases(APART)] == [1, 1]
    assert [row.events for row in cases(JOINED)] == [3]


AT_MIDNIGHT = case([at(0), at(20)])


def test_a_session_crosses_midnight(cases: Cases) -> None:
    [session] = cases(AT_MIDNIGHT)
    assert session.started_at.astimezone(UTC).day != session.ended_at.astimezone(UTC).day


def test_an_earlier_late_event_changes_the_id_as_a_recomputation_would(spark: SparkSession) -> None:
    [late] = sessionize(spark, [at(10)], [at(0)])
    [whole] = sessionize(spark, [at(0), at(10)])
    assert late == whole


UNLIKE = case([at(0, "a"), at(0, "b", "w"), at(0, "c", site="other")])


def test_visitors_and_sites_do_not_share_sessions(cases: Cases) -> None:
    assert len(cases(UNLIKE)) == 3


NO_ACTS = case([at(0), at(20, event="impression"), at(40), at(90, event="served")])


def test_served_and_impressions_neither_open_nor_extend_a_session(cases: Cases) -> None:
    assert [row.events for row in cases(NO_ACTS)] == [1, 1]


MEASURED = case(
    [
        at(2, page_url="/b", event="view_item", scroll_pct=40.0),
        at(1, page_url="/a", channel="email", device="phone", country="de", user_agent="later"),
        at(1, "e0", page_url="/first", channel="referral", device="tablet", user_agent="first"),
        at(3, event="add_to_cart"),
        at(4, event="purchase", price=Decimal("2.50"), quantity=3, currency="EUR"),
        at(5, event="purchase", price=Decimal("1.00"), currency="USD"),
        at(6, event="purchase", price=Decimal("0.50"), currency="EUR"),
        at(7, event="engagement", dwell_ms=1500, scroll_pct=75.5),
    ]
)


def test_measures_of_a_session(cases: Cases) -> None:
    [session] = cases(MEASURED)
    assert session.revenue == {"EUR": Decimal("8.0000"), "USD": Decimal("1.0000")}
    assert (session.page_views, session.item_views, session.carts, session.purchases, session.passive) == (
        2,
        1,
        1,
        3,
        1,
    )
    assert (session.entry_page, session.exit_page) == ("/first", "/b")
    of_first = (session.channel, session.device, session.country, session.user_agent)
    assert of_first == ("referral", "tablet", None, "first")
    assert (session.engaged_ms, session.max_scroll_pct, session.is_bounce) == (1500, 75.5, False)


BOUNCED = case([at(0), at(1, event="engagement"), at(2, event="scroll")])


def test_attention_after_one_page_is_still_a_bounce(cases: Cases) -> None:
    [session] = cases(BOUNCED)
    assert session.is_bounce


LONG = case([at(25 * number) for number in range(60)])


def test_a_session_over_a_day_is_flagged_and_not_cut(cases: Cases) -> None:
    [session] = cases(LONG)
    assert session.is_overlong
    assert session.events == 60


SITES = ("s", "shop")
visits = st.lists(
    st.tuples(
        st.sampled_from(SITES),
        st.integers(0, 3),
        st.integers(0, 240),
        st.sampled_from(["page_view", "view_item", "purchase", "impression"]),
    ),
    min_size=1,
    max_size=40,
)


histories = st.lists(st.tuples(visits, st.randoms(use_true_random=False), st.integers(1, 4)), min_size=12, max_size=12)
"""Of people of their own each: their visits, in which order they arrive, and in how many batches."""


@given(histories)
@settings(max_examples=3, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_order_and_any_cut_gives_what_plain_python_gives(
    spark: SparkSession, histories: list[tuple[list[tuple[str, int, int, str]], Any, int]]
) -> None:
    """Histories go through Spark together: a plan costs the same for twelve."""
    stamped: list[dict[str, Any]] = []
    batches: list[list[dict[str, Any]]] = [[] for _ in range(4)]
    for name, (visits, random, cuts) in enumerate(histories):
        events = [
            at(minute, f"e{number:03}", f"{name} v{visitor}", site=site, event=kind, page_url=f"/{number}")
            | ({"price": Decimal("1.25"), "currency": "EUR"} if kind == "purchase" else {})
            for number, (site, visitor, minute, kind) in enumerate(visits)
        ]
        stamped += [event | {"client_time": milliseconds(event.pop("occurred_at"))} for event in map(dict, events)]
        random.shuffle(events)
        for index in range(cuts):
            batches[index] += events[index::cuts]
    sessions = Counter(
        (
            row.visitor_id,
            milliseconds(row.started_at),
            milliseconds(row.ended_at),
            row.events,
            row.item_views,
            row.purchases,
            tuple(sorted(row.revenue.items())),
            row.entry_page,
            row.exit_page,
        )
        for row in sessionize(spark, *filter(None, batches))
    )
    assert sessions == oracle.sessions(stamped, 30 * 60_000, {"shop": 45 * 60_000})


def milliseconds(time: datetime) -> int:
    return round(time.timestamp() * 1000)
