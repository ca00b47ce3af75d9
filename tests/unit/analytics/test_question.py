"""How a report is asked for: ranges, comparisons, and wrong words that are answered with the right ones."""

from datetime import UTC, date, datetime
from typing import Any

import pytest

from analytics.answers import Reports
from analytics.catalog import report
from analytics.comparison import change, compare
from analytics.question import Compared, Question, conditions, day
from nextclick.errors import UsageError
from nextclick.settings import load
from tests.report_rows import answer, reports

TODAY = date(2026, 3, 10)


def days(*dates: date) -> dict[str, Any]:
    return {"gold.visits": [{"date": day, "channel": f"c{day.day}"} for day in dates]}


def test_by_default_the_last_28_full_days_that_there_are() -> None:
    old, new = days(date(2026, 1, 31)), days(date(2026, 1, 31), TODAY)
    asked = [reports(tables, TODAY).question(report("traffic")) for tables in (old, new, {})]
    assert [(question.first, question.last) for question in asked] == [
        (date(2026, 1, 4), date(2026, 1, 31)),
        (date(2026, 2, 10), date(2026, 3, 9)),
        (date(2026, 2, 10), date(2026, 3, 9)),
    ]


def test_today_is_wherever_it_is_earliest() -> None:
    zones = load("/nowhere", environ={"NEXTCLICK_ANALYTICS__TIMEZONES": '{"hawaii": "Pacific/Honolulu"}'}).analytics
    tables = reports({}).tables
    assert [Reports(tables, zones, datetime(2026, 3, 10, hour, tzinfo=UTC)).today.day for hour in (9, 10)] == [9, 10]


@pytest.mark.parametrize(
    ("to", "first", "last"),
    [
        (Compared.PREVIOUS, date(2026, 2, 26), date(2026, 2, 28)),
        (Compared.WEEKDAY, date(2026, 2, 22), date(2026, 2, 24)),
        (Compared.YEAR, date(2025, 3, 2), date(2025, 3, 4)),  # Sunday to Tuesday, as this year
    ],
)
def test_ranges_that_one_is_compared_to(to: Compared, first: date, last: date) -> None:
    question = Question(report("traffic"), date(2026, 3, 1), date(2026, 3, 3), ("date",))
    before = question.compared(to)
    assert (before.first, before.last) == (first, last)


def test_each_row_stands_beside_that_of_the_same_place_in_the_range_before() -> None:
    tables = days(*(date(2026, 1, number) for number in (5, 5, 6, 8, 8, 8)))
    now = answer("traffic", tables, first="2026-01-07", last="2026-01-08", by=("date",), figures=("visits",))
    beside = compare(reports(tables), now, Compared.PREVIOUS)
    assert now.rows == [(date(2026, 1, 8), 3)]
    assert (beside.figures(now.rows), beside.before.whole) == ([(1,)], (3,))
    assert beside.figures([]) == []
    by_channel = answer("traffic", tables, first="2026-01-07", last="2026-01-08", by=("channel",), figures=("visits",))
    assert compare(reports(tables), by_channel, Compared.PREVIOUS).figures(by_channel.rows) == [None]


def test_change_is_absent_where_one_of_both_is() -> None:
    assert (change(3, 2), change(1, 2), change(None, 2), change(3, None), change(3, 0)) == (0.5, -0.5, None, None, None)


def test_days_are_said_in_four_ways() -> None:
    assert [day(text, TODAY) for text in ("2026-01-31", "today", "yesterday", "30d")] == [
        date(2026, 1, 31), TODAY, date(2026, 3, 9), date(2026, 2, 8),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        ({"by": ("chanel",)}, "cannot be grouped by 'chanel'. It can: date, site, channel"),
        ({"where": ("chanel=a",)}, "cannot be filtered by 'chanel'"),
        ({"where": ("channel",)}, "is no condition. Say it as channel=email"),
        ({"where": ("channel=a", "channel!=b")}, "put its values into one"),
        ({"figures": ("visit",)}, "cannot be asked for 'visit'. It can: visits"),
        ({"first": "2026-13-01"}, "is no day. Say it as 2026-01-31"),
        ({"first": "2026-01-02", "last": "2026-01-01"}, "turn --from and --to round"),
    ],
)
def test_a_wrong_question_is_answered_with_what_may_be_asked(asked: dict[str, Any], answered: str) -> None:
    with pytest.raises(UsageError, match=answered):
        answer("traffic", {}, **asked)


def test_conditions_are_names_and_values() -> None:
    [condition] = conditions(["channel != email, direct"])
    assert (condition.dimension, condition.values, condition.negated) == ("channel", ("email", "direct"), True)
