"""The SQL of an answer, which pages show, makes its rows."""

from datetime import date

from analytics.answers import Reports
from analytics.catalog import report
from nextclick.lake import sql
from nextclick.lake.memory import TableMemory
from nextclick.settings import Settings
from tests.table_rows import write


def test_what_is_shown_as_its_sql_makes_the_rows_of_an_answer(settings: Settings) -> None:
    visits = [("a", "it's"), ("b", "it's"), ("a", "direct"), ("c", "email")]
    write(
        settings.lake,
        "gold.visits",
        [
            {"date": date(2026, 1, 1), "visitor_id": visitor, "channel": channel, "session_id": str(at)}
            for at, (visitor, channel) in enumerate(visits)
        ],
    )
    reports = Reports(TableMemory(settings.lake), settings.analytics)
    question = reports.question(
        report("traffic"), by=("channel",), where=["channel=it's,direct"], figures=("visits", "visitors")
    )
    _, rows = sql.ask(settings.lake, reports.sql(question))
    assert sorted(rows) == [("direct", 0, 1, 1), ("it's", 0, 2, 2)]
    assert sorted(reports.answer(question).rows) == [("direct", 1, 1), ("it's", 2, 2)]
