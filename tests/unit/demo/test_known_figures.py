"""The figures that the generator knows, on visits made by hand."""

from datetime import timedelta
from typing import Any

from demo.outcome.known_figures import figures, visits_of
from demo.traffic.visits import DAY_MS, START_MS

GAP = timedelta(minutes=30)
MAIL = {"utm_source": "newsletter", "utm_medium": "email"}
LINK = {"referrer": "https://reviews.example/"}
MINUTE = 60_000
END = START_MS + 14 * DAY_MS


def act(visitor: str, day: int, minute: int, event: str = "page_view", **fields: Any) -> tuple[int, dict[str, Any]]:
    return START_MS + day * DAY_MS + minute * MINUTE, {"event": event, "visitor_id": visitor, **fields}


def bought(visitor: str, day: int, minute: int, order: str) -> tuple[int, dict[str, Any]]:
    return act(visitor, day, minute, "purchase", order_id=order)


def test_a_gap_of_exactly_thirty_minutes_does_not_open_a_visit() -> None:
    acts = [act("v", 0, 0), act("v", 0, 30), act("v", 0, 61), act("v", 0, 200, "identify"), act("w", 0, 0)]
    assert [(visit.visitor, len(visit.events)) for visit in visits_of(acts, GAP)] == [("v", 2), ("v", 1), ("w", 1)]


def test_an_order_is_credited_to_the_last_visit_that_did_not_come_directly() -> None:
    acts = [
        act("v", 0, 0, **LINK), act("v", 1, 0, **MAIL), act("v", 2, 0), bought("v", 2, 5, "o1"), bought("v", 2, 5, "o1"),
        act("v", 3, 0, **LINK), bought("v", 3, 9, "o2"), bought("v", 4, 0, "o2"),  # its second send is no other order
        act("w", 0, 0), act("w", 0, 1, **MAIL), bought("w", 0, 9, "o3"),  # a visit is what its first event is
    ]  # fmt: skip
    assert figures(visits_of(acts, GAP), END).credited == {"direct": 1, "email": 1, "referral": 1}


def test_of_those_who_were_new_a_week_before_the_newest_day_who_came_on_the_seventh_day_counts() -> None:
    acts = [
        act("back", 0, 0), act("back", 7, 1_439), act("early", 0, 0), act("early", 6, 0), act("late", 1, 0), act("late", 9, 0),
        act("too_new", 3, 0), act("too_new", 9, 0),
    ]  # fmt: skip
    known = figures(visits_of(acts, GAP), END)
    assert (known.first_seen, known.seen_again) == (3, 1)


def test_a_chain_is_whole_within_an_hour_of_its_start_and_any_start_will_do() -> None:
    view, cart, buy = "view_item", "add_to_cart", "purchase"
    acts = [
        act("whole", 0, 0, view), act("whole", 0, 20, cart), act("whole", 0, 60, buy, order_id="o1"),
        act("slow", 0, 0, view), act("slow", 0, 20, cart), act("slow", 0, 61, buy, order_id="o2"),
        act("again", 0, 0, view), act("again", 0, 5, view), act("again", 0, 20, cart), act("again", 0, 61, buy, order_id="o3"),
        act("backwards", 0, 0, cart), act("backwards", 0, 1, view), act("backwards", 0, 2, buy, order_id="o4"),
        act("cart_only", 0, 0, cart),
    ]  # fmt: skip
    assert figures(visits_of(acts, GAP), END).funnel == (4, 3, 2)


def test_who_looked_at_three_items_on_the_last_day_and_bought_nothing_then() -> None:
    def views(visitor: str, day: int, minute: int, *items: str) -> list[tuple[int, dict[str, Any]]]:
        return [act(visitor, day, minute, "view_item", item_id=item) for item in items]

    acts = [
        *views("looker", 13, 0, "a", "b"), *views("looker", 13, 300, "c"), *views("twice", 13, 5, "a", "a", "b"),
        *views("buyer", 13, 5, "a", "b", "c"), bought("buyer", 13, 6, "o1"),
        *views("bought before", 13, 5, "a", "b", "c"), bought("bought before", 12, 6, "o2"),
        *views("too early", 12, 1439, "a"), *views("too early", 13, 1, "b", "c"),
    ]  # fmt: skip
    end = START_MS + 14 * DAY_MS - 1
    assert figures(visits_of(acts, GAP), end).lookers == 2
    edge = [*views("edge", 13, 0, "a"), *views("edge", 14, 0, "b", "c")]
    assert figures(visits_of(edge, GAP), END).lookers == 0, "a day before the end is not within the day"
    assert figures(visits_of(edge, GAP), END - 1).lookers == 0
