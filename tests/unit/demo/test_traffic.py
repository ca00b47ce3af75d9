"""The demo's generator: the same seed gives the same bytes, and what it says about them is so."""

import csv
from collections import Counter
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from demo.outcome.ground_truth import load_truth
from demo.traffic.app import make_app
from demo.traffic.catalogue import MAX_ITEMS, make_catalogue
from demo.traffic.faults import BROKEN, arrivals, copies
from demo.traffic.generate import Traffic, make_traffic, write_traffic
from demo.traffic.tastes import load_tastes
from demo.traffic.trackers import TRACKERS
from nextclick.contracts.events import KINDS
from tests.demo_lines import as_collected

GAP = timedelta(minutes=30)
FAR_FUTURE_MS = 1_800_000_000_000
OF_MAILS = {"email_delivered", "email_open", "email_click"}
OF_THE_APP = {
    "first_open",
    "screen_view",
    "app_crash",
    "play",
    "media_progress",
    "level_start",
    "level_complete",
    "level_fail",
}
REFUSED_BY_THE_DIALECT = ("malformed_json", "missing_visitor", "missing_event", "bad_time")


@pytest.fixture(scope="module")
def traffic() -> Traffic:
    return make_traffic(seed=7, visitors=60, gap=GAP, items=48, days=5)


@pytest.fixture(scope="module")
def good(traffic: Traffic) -> list[dict[str, Any]]:
    """The distinct events, as the dialects read them from the lines: of events that share an id, the first good one."""
    by_id: dict[str, dict[str, Any]] = {}
    for event in as_collected(traffic.lines):
        if _is_sane(event):
            by_id.setdefault(event["event_id"], event)
    return list(by_id.values())


def _is_sane(event: dict[str, Any]) -> bool:
    return (
        event["client_time"] < FAR_FUTURE_MS
        and not event.get("price", "").startswith("-")
        and "note 1" not in event.get("properties", {})
    )


def test_same_seed_gives_the_same_bytes(traffic: Traffic) -> None:
    again = make_traffic(seed=7, visitors=60, gap=GAP, items=48, days=5)
    assert again.lines == traffic.lines
    assert again.truth == traffic.truth


def test_another_seed_gives_other_traffic(traffic: Traffic) -> None:
    assert make_traffic(seed=8, visitors=60, gap=GAP, items=48, days=5).lines != traffic.lines


@pytest.mark.parametrize("visitors", [1, 2, 3])
def test_a_handful_of_visitors_is_enough(visitors: int) -> None:
    truth = make_traffic(seed=1, visitors=visitors, gap=GAP, items=12, days=1).truth
    assert truth.good >= truth.sessions >= 1


def test_every_line_is_good_a_copy_or_broken(traffic: Traffic, good: list[dict[str, Any]]) -> None:
    assert len(good) == traffic.truth.good
    assert len(as_collected(traffic.lines)) == traffic.truth.arrived - sum(
        traffic.truth.broken[kind] for kind in BROKEN if BROKEN[kind].reason in REFUSED_BY_THE_DIALECT
    )
    assert traffic.truth.broken.keys() == BROKEN.keys()


def test_copies_are_byte_for_byte(traffic: Traffic) -> None:
    extra = Counter(traffic.lines) - Counter(set(traffic.lines))
    assert len(as_collected(list(extra.elements()))) == traffic.truth.duplicates > 0
    assert {line.tracker for line in extra} == set(TRACKERS)


def test_the_same_id_with_another_payload_comes_after_its_original(
    traffic: Traffic, good: list[dict[str, Any]]
) -> None:
    assert "https://shop.example/other" not in {event.get("page_url") for event in good}
    collided = [event for event in as_collected(traffic.lines) if event.get("page_url") == "https://shop.example/other"]
    assert len(collided) == traffic.truth.broken["same id, other payload"]
    assert {event["event_id"] for event in collided} <= {event["event_id"] for event in good}


def test_kinds_are_counted_and_known(traffic: Traffic, good: list[dict[str, Any]]) -> None:
    assert Counter(event["event"] for event in good) == traffic.truth.kinds
    assert set(traffic.truth.kinds) - set(KINDS) <= OF_MAILS | OF_THE_APP | {"sign_up"}


def test_revenue_is_price_times_quantity_by_currency(traffic: Traffic, good: list[dict[str, Any]]) -> None:
    totals: Counter[str] = Counter()
    bought = [event for event in good if event["event"] == "purchase"]
    once = {(event["visitor_id"], event["order_id"], event["item_id"]): event for event in bought}
    for event in once.values():
        totals[event["currency"]] += round(float(event["price"]) * 100) * event["quantity"]
    assert {currency: Decimal(cents) / 100 for currency, cents in totals.items()} == {
        currency: Decimal(total) for currency, total in traffic.truth.revenue.items()
    }


def test_sessions_are_counted_by_the_gap_rule(traffic: Traffic, good: list[dict[str, Any]]) -> None:
    by_visitor: dict[str, list[int]] = {}
    for event in good:
        if event["event"] not in {"identify", "alias", "impression"} | OF_MAILS:
            by_visitor.setdefault(event["visitor_id"], []).append(event["client_time"])
    gaps = [b - a for times in map(sorted, by_visitor.values()) for a, b in pairwise(times)]
    assert len(by_visitor) + sum(gap > 1_800_000 for gap in gaps) == traffic.truth.sessions


def test_lines_come_in_order_of_arrival_and_not_of_time(traffic: Traffic, good: list[dict[str, Any]]) -> None:
    times = [event["client_time"] for event in good]
    assert (np.diff(traffic.arrival) >= 0).all()
    assert times != sorted(times)


def test_late_events_arrive_hours_or_days_after_they_happened() -> None:
    delay = arrivals(np.random.default_rng(0), np.zeros(100_000, dtype=np.int64))
    assert (delay > 0).all()
    assert 0.02 < (delay > 600_000).mean() < 0.03
    assert 0.003 < (delay >= 86_400_000).mean() < 0.007


def test_copies_come_soon_or_days_later() -> None:
    again, at = copies(np.random.default_rng(0), np.zeros(100_000, dtype=np.int64))
    assert len(again) == len(at)
    assert 0.012 < (at <= 60_000).sum() / 100_000 < 0.018
    assert 0.002 < (at >= 86_400_000).sum() / 100_000 < 0.004


def test_events_carry_the_user_only_after_the_login(good: list[dict[str, Any]]) -> None:
    logins = {event["visitor_id"]: event["client_time"] for event in good if event["event"] == "identify"}
    for event in good:
        if event["event"] in OF_MAILS:  # whose service knows accounts alone
            assert "visitor_id" not in event
            continue
        knows = event["client_time"] >= logins.get(event["visitor_id"], FAR_FUTURE_MS)
        assert ("user_id" in event) == knows


def test_aliases_name_the_guest_account_that_is_merged() -> None:
    lines = make_traffic(seed=7, visitors=600, gap=GAP, items=48, days=5).lines
    aliases = as_collected([line for line in lines if b'"alias"' in line.record])
    assert aliases
    assert all(event["user_id"] == "u" + event["properties"]["previous_id"][1:] for event in aliases)


def test_what_the_app_reports_says_its_release_and_names_no_item(good: list[dict[str, Any]]) -> None:
    app = [event for event in good if event["event"] in OF_THE_APP]
    assert {event["visitor_id"][0] for event in app} == {"a"}
    assert all({"app_version", "platform"} <= event["properties"].keys() for event in app)
    assert not any("item_id" in event for event in app)
    opened = [event["visitor_id"] for event in app if event["event"] == "first_open"]
    assert sorted(opened) == sorted({event["visitor_id"] for event in app})


def test_a_level_ends_as_often_as_it_starts_and_the_next_one_comes_after_it() -> None:
    """Of one device: it plays level 2 only when it completed level 1."""
    acts = make_app(np.random.default_rng(3), visitors=600, days=14)
    levels: dict[str, list[tuple[str, int]]] = {}
    for _, event in sorted(acts, key=lambda act: act[0]):
        if event["event"].startswith("level_"):
            levels.setdefault(event["visitor_id"], []).append((event["event"], int(event["properties"]["level"])))
    assert len(levels) > 10
    for tries in levels.values():
        reached = 1
        for (start, level), (end, same) in zip(tries[::2], tries[1::2], strict=True):
            assert (start, level, same) == ("level_start", reached, reached)
            reached += end == "level_complete"


def test_who_clicks_an_email_had_it_delivered_and_comes_a_second_later(
    traffic: Traffic, good: list[dict[str, Any]]
) -> None:
    when = {(event["event"], event["user_id"]): event["client_time"] for event in good if event["event"] in OF_MAILS}
    clicks = [(user, at) for (kind, user), at in when.items() if kind == "email_click"]
    arrivals = {
        event["client_time"] for event in good if event.get("utm_source") == "newsletter" and "visitor_id" in event
    }
    arrivals |= {event["client_time"] for event in good if "utm_source=newsletter" in event.get("page_url", "")}
    assert clicks
    for user, at in clicks:
        assert when["email_delivered", user] < when["email_open", user] < at
        assert at + 1_000 in arrivals


def test_costs_are_of_days_and_campaigns_that_visits_came_by(traffic: Traffic, tmp_path: Path) -> None:
    write_traffic(traffic, tmp_path)
    with (tmp_path / "costs.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {(row["network"], row["campaign"]) for row in rows} == {("newsletter", "june"), ("searchads", "gifts")}
    assert {row["date"][:8] for row in rows} == {"2026-06-"}
    assert traffic.truth.costs == {"EUR": str(sum(Decimal(row["cost"]) for row in rows))}


def test_people_look_at_what_they_like(traffic: Traffic, good: list[dict[str, Any]]) -> None:
    views = [event for event in good if event["event"] == "view_item"]
    people = traffic.tastes.rows_of(np.array([event["visitor_id"] for event in views]))
    items = np.searchsorted(traffic.tastes.item_ids, [event["item_id"] for event in views])
    likes = traffic.tastes.likes(np.arange(len(traffic.tastes.mixture)))
    assert likes[people, items].mean() > 1.5 * likes.mean()


def test_devices_and_accounts_of_one_person_share_a_taste(traffic: Traffic) -> None:
    rows = traffic.tastes.rows_of(np.array(["u00003", "g00003", "nobody", "zzz"]))
    assert rows.tolist() == [3, 3, -1, -1]


def test_names_of_items_are_distinct() -> None:
    catalogue = make_catalogue(np.random.default_rng(0), MAX_ITEMS)
    assert len(set(catalogue.names.tolist())) == MAX_ITEMS


def test_truth_and_tastes_come_back_as_written(traffic: Traffic, tmp_path: Path) -> None:
    write_traffic(traffic, tmp_path)
    assert load_truth(tmp_path / "truth.json") == traffic.truth
    tastes = load_tastes(tmp_path / "tastes.npz")
    for name, values in vars(traffic.tastes).items():
        assert np.array_equal(getattr(tastes, name), values)


def test_catalogue_file_has_one_record_an_item(traffic: Traffic, tmp_path: Path) -> None:
    write_traffic(traffic, tmp_path)
    records = [msgspec.json.decode(line) for line in (tmp_path / "catalogue.ndjson").read_bytes().splitlines()]
    assert [record["item_id"] for record in records] == traffic.tastes.item_ids.tolist()
    assert {record["currency"] for record in records} == {"EUR"}
