"""Whether an occasion leads to a message, without a lake."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.trigger_lake import AT, trigger
from triggers.decisions import Contact, Earlier, SendOutcome, decide, is_held_out, quiet_until

NOBODY, NOTHING = Contact(), Earlier(0, 0)


def decided(
    now: datetime = AT, contact: Contact = NOBODY, earlier: Earlier = NOTHING, **more: Any
) -> SendOutcome | None:
    return decide(trigger(**more), "UTC", 3, "p", AT, contact, earlier, now)


def test_a_cap_is_reached_by_as_many_as_it_says() -> None:
    cap = {"times": 2, "days": 7}
    assert decided(earlier=Earlier(1, 2), cap=cap) is SendOutcome.WAITING
    assert decided(earlier=Earlier(2, 2), cap=cap) is SendOutcome.CAPPED
    assert decided(earlier=Earlier(0, 3), cap=cap) is SendOutcome.CAPPED


def test_no_consent_comes_before_everything_else() -> None:
    quiet: dict[str, Any] = {"quiet": ("00:00", "23:59"), "consent": "advertising"}
    assert decided(earlier=Earlier(9, 9), **quiet) is SendOutcome.NO_CONSENT
    assert decided(contact=Contact(consent=True), **quiet) is None


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "zone", "ends"),
    [
        ("2026-01-10 20:59", None, None),
        ("2026-01-10 21:00", None, "2026-01-11 08:00"),
        ("2026-01-11 07:59", None, "2026-01-11 08:00"),
        ("2026-01-11 08:00", None, None),
        ("2026-01-10 20:30", "Europe/Vienna", "2026-01-11 07:00"),
        ("2026-03-28 22:00", "Europe/Vienna", "2026-03-29 06:00"),  # summer time begins in this night
        ("2026-10-24 21:00", "Europe/Vienna", "2026-10-25 07:00"),  # and ends in this one
        ("2026-01-11 02:00", "America/New_York", "2026-01-11 13:00"),
        ("2026-01-10 21:30", "../etc/passwd", "2026-01-11 08:00"),
    ],
)
def test_quiet_hours_end_by_the_clock_on_the_wall(now: str, zone: str | None, ends: str | None) -> None:
    until = quiet_until(trigger(quiet=("21:00", "08:00")), zone, "UTC", at(now))
    assert until == (at(ends) if ends else None)


def test_who_is_held_out_does_not_hang_on_other_triggers() -> None:
    one, other = trigger(name="one", holdout=0.3), trigger(name="other", holdout=0.3)
    people = [f"p{number}" for number in range(2000)]
    held = [(is_held_out(one, person), is_held_out(other, person)) for person in people]
    shares = sum(a for a, _ in held) / 2000, sum(b for _, b in held) / 2000, sum(a and b for a, b in held) / 2000
    assert shares == pytest.approx((0.3, 0.3, 0.09), abs=0.03)
    assert not any(is_held_out(trigger(holdout=0.0), person) for person in people)
    assert is_held_out(one, "p1") == is_held_out(trigger(name="one", holdout=0.3, keep_hours=1), "p1")


def test_what_is_quiet_waits_while_there_is_time() -> None:
    quiet: dict[str, Any] = {"quiet": ("12:00", "14:00")}
    assert decided(keep_hours=2, **quiet) is None
    assert decided(keep_hours=1.9, **quiet) is SendOutcome.QUIET
    assert decided(AT + timedelta(hours=2), keep_hours=2, **quiet) is SendOutcome.WAITING
