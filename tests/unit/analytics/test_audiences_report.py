"""Who entered and left audiences, and what those who belong did, counted by eye."""

from datetime import UTC, date, datetime
from typing import Any

from tests.report_rows import answer

DAY = date(2026, 1, 5)
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


def change(subject: str, entered: bool, minute: int = 0, audience: str = "buyers") -> dict[str, Any]:
    return {
        "site": "s",
        "audience": audience,
        "subject_id": subject,
        "changed_at": NOON.replace(minute=minute),
        "entered": entered,
    }


def visit(visitor: str, orders: int = 0, **more: Any) -> dict[str, Any]:
    return {
        "site": "s",
        "date": DAY,
        "session_id": f"{visitor}{orders}{more}",
        "visitor_id": visitor,
        "orders": orders,
        **more,
    }


def test_those_who_came_and_went_and_what_those_who_belong_did() -> None:
    tables = {
        "silver.audience_changes": [
            change("v1", True),
            change("v1", False, 1),
            change("v1", True, 2),
            change("v2", True),
        ],
        "gold.audience_members": [
            {"site": "s", "audience": "buyers", "subject_id": "v1", "since": NOON},
            {"site": "s", "audience": "buyers", "subject_id": "u1", "subject_kind": "user", "since": NOON},
            {"site": "other", "audience": "buyers", "subject_id": "v3", "since": NOON},
        ],
        "gold.visits": [visit("v1", 2), visit("v1"), visit("v2", 1), visit("v3", 1), visit("phone", 1, user_id="u1")],
    }
    there = answer("audiences", tables)
    assert sorted(there.rows) == [
        ("buyers", "user", 0, 0, 1, 1, 1, 1.0),
        ("buyers", "visitor", 3, 1, 2, 2, 1, 0.5),
    ]
    assert there.whole == (None,) * 6, "a visitor and the user that it is are never added up"
