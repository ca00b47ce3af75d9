"""What a filter may be: the commonest values of a dimension."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from analytics.answers import Reports
from analytics.catalog import report as named
from dashboard.address import PageAddress
from dashboard.panels import DashboardPage

_MOST: Final = 50


def common_values(reports: Reports, view: PageAddress, page: DashboardPage, dimension: str) -> Sequence[str]:
    """Of the days of an address, by the first figure of the page's first report that has the dimension.

    A comma parts two values of a filter, so what has one is not offered.
    """
    report = next(named(panel.report) for panel in page.panels if dimension in named(panel.report).dimensions)
    question = reports.question(report, *view.days(report), (dimension,), figures=(report.metrics[0].name,))
    answer = reports.answer(replace(question, rows_alone=True))
    values = (str(row[0]) for row in answer.rows if row[0] is not None)
    return [value for value in values if "," not in value][:_MOST]
