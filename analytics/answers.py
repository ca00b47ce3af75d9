"""Reports answered from a lake's tables."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import duckdb

from analytics.question import DAYS, Question, conditions, day
from analytics.report import Report, earliest_today, report_values
from nextclick.errors import LakeError
from nextclick.lake.memory import TableMemory
from nextclick.lake.table_state import table_states
from nextclick.settings import AnalyticsSettings

Row = tuple[Any, ...]
_STATES = (
    "CREATE OR REPLACE TEMP TABLE table_states (table_name TEXT, version BIGINT, rows BIGINT, written_at TIMESTAMPTZ)"
)


@dataclass(frozen=True)
class Answer:
    """Rows of a report: first the values that they are grouped by, then the figures, each None where there is none."""

    question: Question
    rows: Sequence[Row]
    whole: Row
    """The figures of all rows together, counted anew, not summed; None where that would mean nothing."""
    days: Mapping[date, Row]
    """The figures of each day of the range, for a line."""
    unfinished: date | None
    """Today, where the range reaches it."""
    versions: Mapping[str, int | None]
    """Of the tables that were read; None: never written."""

    @property
    def columns(self) -> tuple[str, ...]:
        return (*self.question.by, *(metric.name for metric in self.question.metrics))


class Reports:
    """Answers reports of one lake; tables that are asked of again lie in memory."""

    def __init__(self, tables: TableMemory, settings: AnalyticsSettings, now: datetime | None = None) -> None:
        self.tables, self.settings, self._now = tables, settings, now

    @property
    def today(self) -> date:
        return earliest_today(self.settings, self._now or datetime.now(UTC))

    def question(
        self,
        report: Report,
        first: str | None = None,
        last: str | None = None,
        by: Sequence[str] = (),
        where: Iterable[str] = (),
        figures: Sequence[str] = (),
    ) -> Question:
        """A question in words as the command line has them. By default it is of the last 28 full days that there are."""
        end = day(last, self.today) if last else min(self._newest(report), self.today - timedelta(1))
        begin = day(first, self.today) if first else end - timedelta(DAYS - 1)
        return Question(report, begin, end, tuple(by) or report.by, conditions(where), tuple(figures))

    def answer(self, question: Question) -> Answer:
        """LakeError where a table cannot be read."""
        report = question.report
        try:
            with self._shown(report) as database:
                rows = self._rows(database, question, question.by)
                days = self._days(database, question, rows)
                [whole] = self._rows(database, question, ()) if rows else [(None,) * len(question.metrics)]
        except duckdb.Error as error:
            raise LakeError(
                f"The report {report.name} cannot be made: {error}. Tables are checked by `nextclick check`; see docs/jobs/recovery.md."
            ) from error
        full = [there for there in days if there < self.today]
        return Answer(
            question,
            sorted(rows, key=lambda row: _order(row, len(question.by))),
            days[max(full)] if report.last_day and full else whole,
            days,
            self.today if question.last >= self.today else None,
            {name: self.tables.version(name) for name in report.reads},
        )

    def _shown(self, report: Report) -> duckdb.DuckDBPyConnection:
        database = self.tables.connection(report.reads)
        if report.of_states:
            database.execute(_STATES)
            states = table_states(self.tables.lake).items()
            rows = [(name, state.version, state.rows, state.updated_at) for name, state in states]
            database.executemany("INSERT INTO table_states VALUES ($1, $2, $3, $4)", rows)
        return database

    def _newest(self, report: Report) -> date:
        """The newest day of the report's tables; the last full day where none says."""
        self._shown(report).close()
        days = [newest for name in report.reads if (newest := self.tables.newest_day(name))]
        return max(days, default=self.today - timedelta(1))

    def _rows(self, database: duckdb.DuckDBPyConnection, question: Question, by: Sequence[str]) -> list[Row]:
        """The figures of each group of the question's rows."""
        report = question.report
        terms = [condition.sql for condition in question.where]
        if report.date:
            terms.append(f"{report.date} BETWEEN DATE '{question.first}' AND DATE '{question.last}'")
        values = report_values(self.settings, self.today, question.first, question.last)
        bound = {condition.dimension: list(condition.values) for condition in question.where}
        query = report.query(by, question.metrics, values, " AND ".join(terms) or "true")
        return database.execute(query, bound or None).fetchall()

    def _days(self, database: duckdb.DuckDBPyConnection, question: Question, rows: Sequence[Row]) -> dict[date, Row]:
        report = question.report
        if report.date is None or report.across:
            return {}
        rows = rows if question.by == (report.date,) else self._rows(database, question, (report.date,))
        return {row[0]: row[1:] for row in sorted(rows)}


def _order(row: Row, groups: int) -> tuple[Any, ...]:
    """By days and numbers, then the largest first figure, then by words; what is absent comes last."""
    keys, first = row[:groups], row[groups]
    counted = [(key is None, key) for key in keys if isinstance(key, date | int | None)]
    return counted, first is None, -(first or 0), [str(key) for key in keys]
