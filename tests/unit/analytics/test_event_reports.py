"""What is clicked, loaded, played, searched, played through and released: on events that are counted by eye."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from scipy.stats import binomtest

from nextclick.settings import load
from tests.report_rows import answer, answer_of, figures, reports
from tests.table_rows import NOON

ONE, TWO = date(2026, 1, 1), date(2026, 1, 2)


FIELDS = ("query", "page_url", "item_id", "dwell_ms", "site")


def event(kind: str, visitor: str = "a", /, **values: Any) -> dict[str, Any]:
    """An event at NOON, or `at`; what is no field is a property."""
    at = {"occurred_at": values.pop("at", NOON)}
    fields = {name: values.pop(name) for name in FIELDS if name in values}
    return {"site": "s", "event": kind, "visitor_id": visitor, "properties": [*values.items()]} | at | fields


def later(**time: float) -> datetime:
    return NOON + timedelta(**time)


def test_elements_of_a_page_whatever_its_query() -> None:
    click = {"target": "buy", "page_url": "https://s/p?x=1"}
    rows = [
        event("click", **click),
        event("click", "a", page_url="https://s/p#y", target="buy"),
        event("click", "b", **click),
        event("scroll"),
    ]
    there = answer("elements", {"silver.events": rows})
    assert figures(there, "clicks", "visitors") == {("https://s/p", "buy"): (3, 2)}


def test_files_from_pages_and_from_logs_without_bots() -> None:
    log = {"label": "static", "page_url": "https://s/logo.PNG?v=2", "bytes": "500"}
    rows = [
        event("request", **log),
        event("request", "b", **log | {"bytes": "-"}),
        event("request", **log | {"label": "error"}),
        event("request", "bot", **log) | {"user_agent": "crawler"},
        event("download", page_url="https://s/p", file="/list.pdf"),
        event("file_download", page_url="https://s/p", href="https://s/list"),
    ]
    agents = [{"user_agent": "crawler", "is_bot": True}]
    there = answer("files", {"silver.events": rows, "silver.user_agents": agents}, by=("file", "type"))
    assert figures(there, "loads", "visitors", "bytes") == {
        ("https://s/logo.PNG", "png"): (2, 2, 500),
        ("/list.pdf", "pdf"): (1, 1, None),
        ("https://s/list", None): (1, 1, None),
    }


def test_media_how_far_each_viewing_came() -> None:
    rows = [
        event("play", media="film"),
        event("pause", media="film", percent="30", dwell_ms=4000),
        event("play", media="film"),
        event("media_progress", media="film", percent="80", dwell_ms=6000),
        event("play", "b", media="film"),
        event("video_complete", "c", video_title="film"),
        event("media_progress", "c", media="film", percent="much"),
    ]
    there = answer("media", {"silver.events": rows})
    names = ("plays", "viewings", "reached_25", "reached_75", "reached_100", "completion", "watched_seconds")
    assert figures(there, *names) == {"film": (3, 3, 2, 2, 1, 1 / 3, 10)}


def test_searches_that_found_nothing_and_that_were_refined() -> None:
    visit = {"date": ONE, "site": "s", "started_at": NOON, "ended_at": later(hours=1), "searches": 1}
    rows = [
        event("search", query="Shoe "),
        event("search", query="shoes", at=later(minutes=1)),
        event("view_item", at=later(minutes=2)),
        event("search", query="hat", at=later(minutes=3)),
        event("search", "b", query="shoe"),
        event("view_item", "b", at=later(hours=2)),  # in another visit
    ]
    visits = [visit | {"visitor_id": who, "session_id": who} for who in "ab"]
    there = answer("search", {"silver.events": rows, "gold.visits": visits})
    assert figures(there, "searches", "visitors", "without_click", "refined") == {
        "shoe": (2, 2, 1, 1),
        "shoes": (1, 1, 0, 1),
        "hat": (1, 1, 1, 0),
    }


def test_levels_their_tries_their_time_and_where_players_stop() -> None:
    rows = [
        event("level_start", level="1"),
        event("level_fail", level="1", at=later(seconds=20)),
        event("level_start", level="1", at=later(seconds=30)),
        event("level_complete", level="1", at=later(seconds=90)),
        event("level_start", "b", level="1", at=later(seconds=1)),
        event("level_start", level="2", at=later(days=8)),
        event("level_complete", level="2", at=later(days=8, seconds=5)),
    ]
    there = answer("games", {"silver.events": rows})
    names = ("players", "starts", "fails", "completed_by", "tries_per_complete", "median_seconds", "quit_here")
    assert figures(there, *names) == {"1": (2, 3, 1, 1, 3, 60, 1), "2": (1, 1, 0, 1, 1, 5, 0)}


def test_releases_crash_free_visits_errors_and_percentiles() -> None:
    visits = [
        {"date": ONE, "app_version": version, "session_id": f"{n}", "crashes": n // 3}
        for n, version in enumerate("1111222")
    ]
    rows = [event("load", app_version="2", value=str(n), error="timeout" if n > 98 else "false") for n in range(101)]
    rows += [event("load", app_version="2", value="slow", error="")]
    there = answer("releases", {"gold.visits": visits, "silver.events": rows})
    assert figures(there, "visits", "crashed_visits", "crash_free") == {"1": (4, 1, 0.75), "2": (3, 3, 0)}
    (events, errors, share, low, high, p50, p95) = figures(
        there, "events", "with_error", "error_share", "error_low", "error_high", "p50", "p95"
    )["2"]
    assert (events, errors, share, p50, p95) == (102, 2, 2 / 102, 50, 95)
    interval = binomtest(2, 102).proportion_ci(method="wilson")
    assert (low, high) == pytest.approx((interval.low, interval.high), abs=1e-5)


def test_a_day_is_that_of_the_events_site() -> None:
    zones = load("/nowhere", environ={"NEXTCLICK_ANALYTICS__TIMEZONES": '{"berlin": "Europe/Berlin"}'}).analytics
    midnights = [
        datetime(2026, 3, day, hour, 30, tzinfo=UTC) for day in (28, 29) for hour in (21, 22, 23)
    ]  # clocks change on the 29th
    rows = [event("click", at=at, site=site) for at in midnights for site in ("berlin", "utc")]
    there = answer_of(
        reports({"silver.events": rows}, date(2026, 4, 1), zones), "elements", by=("site", "date"), first="2026-03-01"
    )
    assert figures(there, "clicks") == {
        ("berlin", date(2026, 3, 28)): 2,
        ("berlin", date(2026, 3, 29)): 2,
        ("berlin", date(2026, 3, 30)): 2,
        ("utc", date(2026, 3, 28)): 3,
        ("utc", date(2026, 3, 29)): 3,
    }


def test_pages_and_events_of_gold_have_their_ratios_by_sums() -> None:
    page = {"site": "s", "page": "/p"}
    pages = [
        page | {"date": ONE, "views": 4, "visitors": 3, "exits": 1, "entries": 2, "entry_bounces": 1, "scroll_sum": 150.0, "scroll_n": 2},
        page | {"date": TWO, "views": 4, "visitors": 3, "exits": 3, "entries": 0, "entry_bounces": 0, "scroll_sum": 0.0, "scroll_n": 0},
    ]  # fmt: skip
    there = answer("pages", {"gold.page_daily": pages})
    names = ("views", "page_visitors", "exit_rate", "entry_bounce_rate", "mean_scroll")
    assert figures(there, *names) == {"/p": (8, None, 0.5, 0.5, 75)}
    by_day = answer("pages", {"gold.page_daily": pages}, by=("date", "page"))
    assert figures(by_day, "page_visitors", "entry_bounce_rate") == {
        (ONE, "/p"): (3, 0.5),
        (TWO, "/p"): (3, None),
    }
    seldom = pages[0] | {"page": "/a", "views": 1}
    assert [row[0] for row in answer("pages", {"gold.page_daily": [seldom, *pages]}).rows] == ["/p", "/a"]
    events = [
        {"event": "load", "platform": name, "events": 4, "with_error": 1, "value_sum": 6.0, "value_n": 2}
        for name in "ab"
    ]
    assert figures(answer("events", {"gold.event_daily": events}), "events", "error_share", "value_mean") == {
        "load": (8, 0.25, 3)
    }


def test_time_on_pages_is_absent_where_none_reported_it() -> None:
    log = {"date": ONE, "site": "s", "page": "/log", "views": 2, "visitors": 1, "engaged_ms": 0}
    told = log | {"page": "/told", "engaged_ms": 3_000}
    there = answer("pages", {"gold.page_daily": [log, told]})
    assert figures(there, "engaged_seconds", "seconds_per_view") == {"/log": (None, None), "/told": (3, 1.5)}


def test_a_figure_of_one_row_is_absent_where_two_meet() -> None:
    day = {"date": date(2026, 1, 5), "site": "s", "event": "share", "events": 1}
    both = [day | {"platform": "web", "visitors": 3}, day | {"platform": "ios", "visitors": 5}]
    there = figures(answer("events", {"gold.event_daily": both}, by=("event", "platform")), "event_visitors")
    assert there == {("share", "web"): 3, ("share", "ios"): 5}
    assert figures(answer("events", {"gold.event_daily": both}), "event_visitors") == {"share": None}


@pytest.mark.parametrize(
    ("name", "did"),
    [
        ("elements", {"kind": "click", "target": "buy", "page_url": "https://s/p"}),
        ("files", {"kind": "download", "file": "/list.pdf"}),
        ("media", {"kind": "play", "item_id": "film"}),
    ],
)
def test_what_suspects_did_on_their_day_is_left_out_where_the_settings_say_so(name: str, did: dict[str, Any]) -> None:
    kind, rest = did["kind"], {field: value for field, value in did.items() if field != "kind"}
    rows = [event(kind, who, **rest) for who in ("good", "bad", "doubted")]
    rows.append(event(kind, "bad", **rest, at=later(days=1)))
    suspects = [
        {"date": NOON.date(), "site": "s", "visitor_id": who, "is_suspect": who == "bad"} for who in ("bad", "doubted")
    ]
    tables = {"silver.events": rows, "gold.suspects": suspects}
    counted = [
        sum(figures(answer_of(reports(tables, leave_out_suspects=out), name), "visitors").values())
        for out in (False, True)
    ]
    alone = answer_of(reports({"silver.events": rows}, leave_out_suspects=True), name)
    assert (counted, sum(figures(alone, "visitors").values())) == ([3, 3], 3)
    day = {"first": NOON.date().isoformat(), "last": NOON.date().isoformat()}
    of_day = [
        sum(figures(answer_of(reports(tables, leave_out_suspects=out), name, **day), "visitors").values())
        for out in (False, True)
    ]
    assert of_day == [3, 2]
