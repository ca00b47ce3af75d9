"""What is drawn: every day of the range, gaps where nothing is, the earlier range day by day."""

from datetime import date

from analytics.answers import Answer
from analytics.comparison import compare
from analytics.question import Compared
from dashboard import charts
from tests.report_rows import answer, answer_of, reports


def visits(*days: int) -> list[dict[str, object]]:
    return [{"date": date(2026, 1, day), "session_id": str(at), "is_bounce": day == 7} for at, day in enumerate(days)]


def of_days(there: Answer, *names: str) -> dict[str, object]:
    metrics = [metric for metric in there.question.metrics if metric.name in names]
    return charts.lines(there, metrics, None, "line")


def test_each_day_of_the_range_has_a_place_and_no_figure_where_nothing_was() -> None:
    there = answer("traffic", {"gold.visits": visits(5, 5, 7)}, first="2026-01-04", last="2026-01-07")
    drawn = of_days(there, "visits")
    assert drawn["days"] == ["2026-01-04", "2026-01-05", "2026-01-06", "2026-01-07"]
    assert drawn["series"][0]["values"] == [None, 2.0, None, 1.0]  # type: ignore[index]
    assert drawn["unfinished"] is None


def test_a_day_that_is_not_over_is_named() -> None:
    there = answer("traffic", {"gold.visits": visits(7)}, date(2026, 1, 7), first="2026-01-06", last="today")
    assert of_days(there, "visits")["unfinished"] == "2026-01-07"


def test_the_earlier_range_lies_under_the_days_as_far_from_its_first() -> None:
    of_tables = reports({"gold.visits": visits(1, 1, 1, 2, 3, 4)})
    there = answer_of(of_tables, "traffic", first="2026-01-03", last="2026-01-04")
    drawn = charts.lines(there, there.question.metrics[:1], compare(of_tables, there, Compared.PREVIOUS), "line")
    assert (drawn["series"][0]["values"], drawn["series"][0]["before"]) == ([1.0, 1.0], [3.0, 1.0])


def test_weeks_stand_by_weeks() -> None:
    rows = [{"date": date(2026, 1, day), "visitor_id": "a", "site": "x"} for day in (5, 12, 26)]
    there = answer("lifecycle", {"gold.visitor_days": rows}, last="2026-01-31")
    assert charts.days(there) == [date(2026, 1, day) for day in (5, 12, 19, 26)]


def test_nothing_leads_out_of_a_chart() -> None:
    assert "<" not in charts.in_page({"name": "</script><b>&amp;"})
