"""Reports as views, `report.NAME`, for whoever asks in SQL: one text, which DuckDB takes and Spark in translation.

Tools sum what they see. So a view has counts by all dimensions, money one row a currency, and ratios only where its rows are final;
distinct counts, which nobody may sum, are left to `report.active` and to `nextclick report`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime

from analytics.catalog import REPORTS
from analytics.report import Report, earliest_today, report_values
from nextclick.contracts import catalog
from nextclick.definitions.metric import Metric
from nextclick.lake.sql import View
from nextclick.settings import AnalyticsSettings


def views() -> Iterator[Report]:
    """Those that tables alone make."""
    return (report for report in REPORTS if not report.of_states)


def columns(report: Report) -> tuple[Metric, ...]:
    """The figures of its view."""
    return tuple(metric for metric in report.metrics if metric.adds_up or report.final)


def query(report: Report, values: Mapping[str, str]) -> str:
    """The view in DuckDB's SQL; `values` as report_values makes them."""
    return report.view(columns(report), values)


def in_spark(sql: str) -> str:
    """The same in Spark's; sqlglot.UnsupportedError where Spark has no such thing."""
    import sqlglot

    [query] = sqlglot.transpile(sql, read="duckdb", write="spark", unsupported_level=sqlglot.ErrorLevel.RAISE)
    return query.replace("EPOCH_US(", "UNIX_MICROS(")  # sqlglot does not know it


def comments(report: Report) -> dict[str, str]:
    """Of the view's columns: what the contracts of its tables say of a dimension, what a figure means, and over what it adds up."""
    contracts = [column for name in reversed(report.reads) for column in catalog.table(name).columns]
    dimensions = {column.name: column.doc for column in contracts if column.name in report.dimensions}
    return dimensions | {metric.name: f"{metric.meaning} {metric.note.capitalize()}." for metric in columns(report)}


def of_lake(settings: AnalyticsSettings) -> list[View]:
    """All of them, for queries of a lake as it stands today."""
    today = earliest_today(settings, datetime.now(UTC))
    return [of_report(settings, report, today) for report in views()]


def of_lake_in_spark(settings: AnalyticsSettings) -> list[View]:
    """The same, in Spark's SQL."""
    return [replace(view, query=in_spark(view.query)) for view in of_lake(settings)]


def of_report(settings: AnalyticsSettings, report: Report, today: date) -> View:
    text = query(report, view_values(settings, report, today))
    names = (*report.dimensions, *(metric.name for metric in columns(report)))
    return View(f"report.{report.name}", text, report.reads, comments(report), report.doc, names)


def view_values(settings: AnalyticsSettings, report: Report, today: date) -> dict[str, str]:
    """The newest day is looked up when the view is asked."""
    return report_values(settings, f"(SELECT least(max(date), DATE '{today}' - 1) FROM {report.reads[0]})")
