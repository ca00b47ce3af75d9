"""Reports of those alone who belong to an audience, counted by eye."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from analytics.answers import Reports
from nextclick.errors import UsageError
from nextclick.identity.persons import ACCOUNT
from nextclick.lake.memory import TableMemory
from nextclick.lake.paths import lake_at
from tests.report_rows import SETTINGS, answer_of, figures
from tests.table_rows import write

ONE, TWO = date(2026, 1, 5), date(2026, 1, 6)
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
RANGE = {"first": "2026-01-01", "last": "2026-01-31", "audience": "buyers"}


@pytest.fixture
def reports(tmp_path: Path) -> Reports:
    """v1 belongs; of the user ann, who belongs, phone and laptop are known, and what she does without a visitor. v3 belongs elsewhere."""
    lake = lake_at(tmp_path)
    members = [("s", "visitor", "v1"), ("s", "user", "ann"), ("other", "visitor", "v3")]
    write(
        lake,
        "gold.audience_members",
        [
            *({"site": s, "audience": "buyers", "subject_kind": kind, "subject_id": id} for s, kind, id in members),
            {"site": "s", "audience": "lookers", "subject_kind": "visitor", "subject_id": "v2"},
        ],
    )
    write(
        lake,
        "silver.identities",
        [{"site": "s", "kind": "visitor", "id": id, "user_id": "ann"} for id in ("phone", "laptop")],
    )
    visits = [
        ("v1", ONE),
        ("v1", TWO),
        ("v2", ONE),
        ("v3", ONE),
        ("phone", ONE),
        ("laptop", TWO),
        (ACCOUNT + "ann", TWO),
    ]
    write(
        lake,
        "gold.visits",
        [
            {
                "site": "s",
                "date": day,
                "session_id": f"{id}{day}",
                "visitor_id": id,
                "started_at": NOON.replace(day=day.day),
            }
            for id, day in visits
        ],
    )
    write(lake, "gold.visitor_days", [{"site": "s", "date": day, "visitor_id": id} for id, day in visits])
    return Reports(TableMemory(lake), SETTINGS)


def test_only_who_belongs_is_counted_and_a_user_with_all_visitors(reports: Reports) -> None:
    there = answer_of(reports, "traffic", **RANGE, figures=("visits", "visitors"))
    assert there.rows == [(ONE, 2, 2), (TWO, 3, 3)]
    assert there.whole == (5, 4)
    assert there.notes == ("Of those alone who belong to the audience buyers, as gold.audience_members has them now.",)


def test_who_was_first_when_is_of_those_alone(reports: Reports) -> None:
    assert figures(answer_of(reports, "newcomers", **RANGE), "visits") == {"new": 4, "returning": 1}
    lifecycle = answer_of(reports, "lifecycle", **RANGE, figures=("active", "new"))
    assert lifecycle.rows[0] == (date(2026, 1, 5), 4, 4)


def test_persons_of_an_audience(reports: Reports) -> None:
    """v1, and ann once for three visitors."""
    assert answer_of(reports, "traffic", **RANGE, figures=("visits", "visitors"), by_person=True).whole == (5, 2)


def test_a_change_of_the_audience_changes_the_next_answer(reports: Reports) -> None:
    before = answer_of(reports, "traffic", **RANGE, figures=("visitors",)).whole
    write(
        reports.tables.lake,
        "gold.audience_members",
        [{"site": "s", "audience": "buyers", "subject_kind": "visitor", "subject_id": "v2"}],
    )
    assert before == (4,)
    assert answer_of(reports, "traffic", **RANGE, figures=("visitors",)).whole == (5,)


def test_nobody_belongs_where_the_night_never_looked(tmp_path: Path) -> None:
    write(lake_at(tmp_path), "gold.visits", [{"site": "s", "date": ONE, "visitor_id": "v1"}])
    there = answer_of(Reports(TableMemory(lake_at(tmp_path)), SETTINGS), "traffic", **RANGE)
    assert there.rows == []


@pytest.mark.parametrize("name", ["pages", "items", "attribution", "audiences", "sends"])
def test_a_report_that_does_not_know_whose_its_rows_are_says_so(reports: Reports, name: str) -> None:
    with pytest.raises(UsageError, match="leave --audience out"):
        answer_of(reports, name, **RANGE)
