"""Who is active, who comes back: against plain counting over sets of days, by the reports' queries and by numbers of visitors."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import msgspec
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from analytics.answers import Answer, Reports
from analytics.people.visitor_days import NumberedVisitors, VisitorDays, day_number
from nextclick.settings import AnalyticsSettings
from tests.hypothesis_settings import generated
from tests.report_rows import SETTINGS, TODAY, answer_of, figures, reports
from tests.report_rows import answer as queried

DAY = timedelta(1)
FIRST = date(2026, 1, 1)  # a Thursday
Visitor = tuple[str, str]
Days = dict[Visitor, set[date]]

visitor_days = st.dictionaries(
    st.tuples(st.sampled_from(["s", "t"]), st.sampled_from("abc")),
    st.sets(st.integers(0, 44).map(lambda n: FIRST + n * DAY), min_size=1),
)


def table(days: Days) -> dict[str, list[dict[str, Any]]]:
    rows = [{"site": site, "visitor_id": who, "date": day} for (site, who), when in days.items() for day in when]
    return {"gold.visitor_days": rows}


def numbers(days: Days) -> VisitorDays:
    """The same, as numbers."""
    visitors, sites = [*days], sorted({site for site, _ in days})
    came = {
        day_number(day): [n for n, when in enumerate(days.values()) if day in when]
        for day in set().union(*days.values())
    }
    site_of = np.array([sites.index(site) for site, _ in visitors], np.uint32)
    return VisitorDays(sites, site_of, sorted(came), lambda day: np.array(came[day], np.uint32))


class InMemory(NumberedVisitors):
    def __init__(self, days: Days) -> None:
        self.days = numbers(days)

    def at(self, *_: object, **__: object) -> VisitorDays:
        return self.days


def answer(name: str, days: Days, today: date = TODAY, settings: AnalyticsSettings = SETTINGS, **asked: Any) -> Answer:
    """By the report's query, and by numbers of visitors: they say the same."""
    queried, counted = (answer_of(there, name, **asked) for there in _both(days, today, settings))
    assert (counted.rows, counted.whole, counted.days) == (queried.rows, queried.whole, queried.days)
    return counted


def _both(days: Days, today: date, settings: AnalyticsSettings) -> Iterator[Reports]:
    yield reports(table(days), today, settings)
    counting = reports(table(days), today, settings)
    counting._numbers["gold.visitor_days"] = InMemory(days)
    yield counting


def january(visitor: str, *days: int) -> Days:
    return {("s", visitor): {date(2026, 1, day) for day in days}}


def test_active_in_the_days_that_end_with_the_day() -> None:
    days = january("a", 1, 2) | january("b", 1) | january("c", 9) | january("d", 31)
    active = figures(answer("active", days), "dau", "wau", "mau")
    assert active[date(2026, 1, 2)] == (1, 2, 2)
    assert active[date(2026, 1, 7)] == (0, 2, 2)
    assert active[date(2026, 1, 8)] == (0, 1, 2)  # b's week is over, a's ends today
    assert active[date(2026, 1, 9)] == (1, 1, 3)
    assert active[date(2026, 1, 28)] == (0, 0, 3)
    assert active[date(2026, 1, 29)] == (0, 0, 2)


def test_one_number_is_that_of_the_last_full_day_and_today_is_not_one() -> None:
    days = january("a", 1, 2) | january("b", 2, 3)
    there = answer("active", days, today=date(2026, 1, 3), last="today")
    assert there.columns == ("date", "dau", "wau", "mau", "stickiness")
    assert there.whole == (2, 2, 2, 1.0)
    assert there.unfinished == date(2026, 1, 3)
    assert there.rows[-1] == (date(2026, 1, 3), 1, 2, 2, 0.5)


@generated(15)
@given(
    visitor_days,
    st.integers(0, 45),
    st.sampled_from([(), ("site=s",), ("site!=s",)]),
    st.sampled_from([7, 28, 31, 32, 60]),
)
def test_active_equals_counting(days: Days, skipped: int, where: tuple[str, ...], month: int) -> None:
    """Also where days are bits of several blocks, and where they are too many for bits."""
    first = FIRST + skipped * DAY
    settings = msgspec.structs.replace(SETTINGS, active_days=month)
    there = answer("active", days, date(2026, 6, 1), settings, first=str(first), where=where)
    sites = {"s", "t"} if not where else {"s"} if where == ("site=s",) else {"t"}
    kept = {visitor: when for visitor, when in days.items() if visitor[0] in sites}
    read = [(site, day) for (site, _), when in days.items() for day in when if day > first - month * DAY]
    newest = max((day for _, day in read), default=FIRST)

    def active(day: date, length: int) -> int:
        window = {day - n * DAY for n in range(length)}
        return sum(bool(window & when) for when in kept.values())

    expected = {first + n * DAY: 0 for n in range((newest - first).days + 1)}
    oldest = min((day for site, day in read if site in sites), default=newest + DAY)
    counts = {day: (active(day, 1), active(day, 7), active(day, month)) for day in expected if day >= oldest}
    assert figures(there, "dau", "wau", "mau") == counts


def test_a_cell_that_its_cohort_has_not_lived_is_absent_and_one_in_which_nobody_came_is_0() -> None:
    weeks = january("a", 1, 8) | january("b", 2) | january("c", 12)
    cells = figures(answer("retention_week", weeks, first="2025-12-01"), "cohort_size", "retained", "retention")
    monday = date(2025, 12, 29)
    assert cells[monday, 0] == (2, 2, 1.0)
    assert cells[monday, 1] == (2, 1, 0.5)
    assert cells[monday, 2] == (None, None, None)  # the newest day, the 12th, is that week's Monday


def test_the_first_day_is_the_first_ever_and_not_that_of_the_range() -> None:
    days = january("a", 1, 20, 21) | january("b", 20)
    cells = figures(answer("retention_day", days, first="2026-01-15"), "cohort_size", "retained", "retained_since")
    assert cells == {(date(2026, 1, 20), 0): (1, 1, 1), (date(2026, 1, 20), 1): (1, 0, 0)}


def test_cohorts_are_put_together_day_by_day_and_days_never() -> None:
    days = january("a", 1, 2, 3) | january("b", 1, 3) | january("c", 2)
    there = answer("retention_day", days, by=("n",))
    assert figures(there, "cohort_size", "retained", "retention") == {0: (3, 3, 1.0), 1: (3, 1, 1 / 3), 2: (2, 2, 1.0)}
    assert there.whole == (None, None, None, None)


def test_on_how_many_of_28_days_visitors_were_active() -> None:
    days = january("a", 1, 2, 30) | january("b", 2, 3) | january("c", 29, 30)
    assert figures(answer("frequency", days), "visitors") == {1: 2, 2: 1}  # of 3 to 30 January
    assert figures(answer("frequency", days, last="2026-01-03"), "visitors") == {2: 2}


@generated(15)
@given(visitor_days, st.integers(1, 50))
def test_retention_by_day_equals_counting(days: Days, today: int) -> None:
    now = FIRST + today * DAY
    newest = min(max((day for when in days.values() for day in when), default=date.min), now - DAY)
    cohorts = defaultdict[date, list[set[date]]](list)
    for when in days.values():
        cohorts[min(when)].append(when)
    expected = {
        (cohort, n): (
            len(them),
            sum(cohort + n * DAY in when for when in them),
            sum(max(when) >= cohort + n * DAY for when in them),
        )
        for cohort, them in cohorts.items()
        for n in range(61)
        if cohort + n * DAY <= newest
    }
    there = answer("retention_day", days, now, last="2026-12-31")
    assert figures(there, "cohort_size", "retained", "retained_since") == expected


@generated(15)
@given(visitor_days, st.integers(1, 50), st.integers(0, 4))
def test_retention_by_week_and_lifecycle_equal_counting(days: Days, today: int, skipped: int) -> None:
    now = FIRST + today * DAY
    newest = min(max((day for when in days.values() for day in when), default=date(1, 1, 7)), now - DAY)
    weeks = {visitor: {day - day.weekday() * DAY for day in when} for visitor, when in days.items()}
    lived = {monday for n in range(60) if (monday := date(2025, 12, 29) + 7 * n * DAY) + 6 * DAY <= newest}
    there = answer("retention_week", days, now, first="2025-12-01", last="2026-12-31")
    for (cohort, n), cell in figures(there, "cohort_size", "retained").items():
        them = [when for when in weeks.values() if min(when) == cohort]
        week = cohort + 7 * n * DAY
        assert cell == ((len(them), sum(week in when for when in them)) if week in lived else (None, None))

    first = date(2025, 12, 29) + skipped * 7 * DAY
    there = answer("lifecycle", days, now, first=str(first), last="2026-12-31")
    seen = {week for when in weeks.values() for week in when}
    expected = {}
    for week in {*seen, *(week + 7 * DAY for week in seen)}:
        here = [when for when in weeks.values() if week in when]
        new = sum(min(when) == week for when in here)
        returned = sum(week - 7 * DAY in when for when in here)
        dormant = sum(week - 7 * DAY in when and week not in when for when in weeks.values()) if week in lived else None
        if week >= first and (here or dormant):
            expected[week] = (len(here), new, returned, len(here) - new - returned, dormant)
    assert figures(there, "active", "new", "returned", "resurrected", "dormant") == expected


def test_what_is_expected_is_the_sum_of_probabilities_and_never_over_two_predictions() -> None:
    def foreseen(model: str, decile: int, probability: float) -> dict[str, Any]:
        return {"site": "s", "model": model, "decile": decile, "calibrated": probability, "subject_kind": "person"}

    rows = [
        foreseen("churn", 10, 0.75),
        foreseen("churn", 10, 0.5),
        foreseen("churn", 1, 0.25),
        foreseen("conversion_7d", 1, 0.5),
    ]
    there = queried("predictions", {"gold.predictions": rows})
    assert sorted(there.rows) == [
        ("churn", 1, 1, 0.25, 0.25),
        ("churn", 10, 2, 1.25, 0.625),
        ("conversion_7d", 1, 1, 0.5, 0.5),
    ]
    assert there.whole == (None, None, None)
