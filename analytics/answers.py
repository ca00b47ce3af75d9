"""Reports answered from a lake's tables."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any

import duckdb

from analytics.answer_cache import AnswerCache
from analytics.first_days import FirstDays
from analytics.question import DAYS, Condition, Question, conditions, day
from analytics.report import FIRSTS_AROUND, Report, earliest_today, report_values
from nextclick.errors import UsageError
from nextclick.lake import duck
from nextclick.lake.memory import TableMemory
from nextclick.lake.table_state import table_states
from nextclick.settings import AnalyticsSettings

Row = tuple[Any, ...]
_CELL_BYTES = 64
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
    notes: tuple[str, ...] = ()
    """What has to be known of these tables."""

    @property
    def bytes(self) -> int:
        """In memory, about."""
        return (len(self.rows) + len(self.days) + 1) * len(self.columns) * _CELL_BYTES

    @property
    def columns(self) -> tuple[str, ...]:
        return (*self.question.by, *(metric.name for metric in self.question.metrics))


class Reports:
    """Answers reports of one lake; what is asked again lies in memory: tables, and answers of at most `answer_bytes`."""

    def __init__(
        self,
        tables: TableMemory,
        settings: AnalyticsSettings,
        now: datetime | None = None,
        answer_bytes: int = 64 * 2**20,
    ) -> None:
        self.tables, self.settings, self._now = tables, settings, now
        self._answers = AnswerCache[Answer](answer_bytes)
        self._firsts: dict[str, FirstDays] = {}

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
        by_person: bool = False,
    ) -> Question:
        """A question in words as the command line has them. By default it is of the last 28 full days that there are."""
        if (first or last) and not report.is_of_days:
            raise UsageError(f"The report {report.name} is of now, not of days: leave --from and --to out.")
        end = day(last, self.today) if last else self._last_full_day(report) or self.today - timedelta(1)
        begin = day(first, self.today) if first else end - timedelta(DAYS - 1)
        return Question(report, begin, end, tuple(by) or report.by, conditions(where), tuple(figures), by_person)

    def answer(self, question: Question) -> Answer:
        """LakeError where a table cannot be read."""
        report = question.report
        with duck.counting(f"The report {report.name}"), self._shown(report) as database:
            key = (question, self.today, *map(self.tables.stamp, report.reads))
            if (known := self._answers.get(key)) is not None:
                return known
            answer = self._counted(database, question)
        if not (report.of_states or question.by_person):  # which other things decide, too
            self._answers.put(key, answer, answer.bytes)
        return answer

    def _counted(self, database: duckdb.DuckDBPyConnection, question: Question) -> Answer:
        report, line = question.report, _line(question.report)
        views = self._of_persons(database, report) if question.by_person else self._first_days(database, question)
        rows = self._groups(database, question, list(dict.fromkeys((question.by, line, ()))), views)
        days = {row[0]: row[1:] for row in sorted(rows[line])} if line else {}
        full = [there for there in days if there < self.today]
        whole = rows[()][0] if rows[question.by] else (None,) * len(question.metrics)
        return Answer(
            question,
            sorted(rows[question.by], key=partial(_order, question)),
            days[max(full)] if report.last_day and full else whole,
            days,
            self.today if question.last >= self.today and report.is_of_days else None,
            {name: self.tables.version(name) for name in report.reads},
            report.says(self.tables.lake) if report.says else (),
        )

    def _shown(self, report: Report) -> duckdb.DuckDBPyConnection:
        database = self.tables.connection(report.reads)
        if report.of_states:
            database.execute(_STATES)
            states = table_states(self.tables.lake).items()
            rows = [
                (name, state.version, state.rows if state.version is not None else None, state.updated_at)
                for name, state in states
            ]
            database.executemany("INSERT INTO table_states VALUES ($1, $2, $3, $4)", rows)
        return database

    def _of_persons(self, database: duckdb.DuckDBPyConnection, report: Report) -> dict[str, str]:
        from analytics import by_person  # it takes half a second, and few ask

        return by_person.show(database, self.tables.lake, report)

    def _first_days(self, database: duckdb.DuckDBPyConnection, question: Question) -> dict[str, str]:
        """Of visitors, from files that hold nothing else; persons have theirs counted anew."""
        report = question.report
        if "{firsts}" not in report.rows:
            return {}
        name = report.reads[0]
        first = max(question.first, date.min + FIRSTS_AROUND) - FIRSTS_AROUND
        last = min(question.last, date.max - FIRSTS_AROUND) + FIRSTS_AROUND
        kept = self._firsts.setdefault(name, FirstDays(self.tables.lake, name))
        return {"firsts": kept.between(database, self.tables.table(name), first, last)}

    def _last_full_day(self, report: Report) -> date | None:
        """Yesterday, or the newest day of the report's tables, where that is earlier; None where they have none."""
        days = [day for name in report.reads if (day := self.tables.newest_day(name))]
        return min(max(days), self.today - timedelta(1)) if days else None

    def _groups(
        self,
        database: duckdb.DuckDBPyConnection,
        question: Question,
        groupings: Sequence[tuple[str, ...]],
        views: Mapping[str, str],
    ) -> dict[tuple[str, ...], list[Row]]:
        """The figures of the question's rows by each of the groupings, behind the values that they are grouped by."""
        names = tuple(dict.fromkeys(name for by in groupings for name in by))
        query = self._query(question, groupings, views)
        bound = {condition.dimension: list(condition.values) for condition in question.where}
        groups: dict[tuple[str, ...], list[Row]] = {by: [] for by in groupings}
        kinds = {_ungrouped(names, by): ([names.index(name) for name in by], groups[by]) for by in groupings}
        for row in database.execute(query, bound or None).fetchall():
            at, rows = kinds[row[len(names)]]
            rows.append((*(row[i] for i in at), *row[len(names) + 1 :]))
        return groups

    def _query(self, question: Question, groupings: Sequence[tuple[str, ...]], views: Mapping[str, str]) -> str:
        report, terms = question.report, [_term(question.report, condition) for condition in question.where]
        if report.date:
            terms.append(f"{report.date} BETWEEN DATE '{question.first}' AND DATE '{question.last}'")
        newest = self._last_full_day(report)
        values = report_values(
            self.settings, f"DATE '{newest}'" if newest else "CAST(NULL AS DATE)", question.first, question.last
        )
        query = report.query(groupings, question.metrics, {**values, **views}, " AND ".join(terms) or "true")
        names = tuple(dict.fromkeys(name for by in groupings for name in by))
        shown = [
            f"(ungrouped & {_ungrouped(names, [name for name in names if name != condition.dimension])} <> 0 OR {condition.sql})"
            for condition in question.where
            if condition.dimension in report.beside and condition.dimension in names
        ]
        return f"SELECT * FROM ({query}) WHERE {' AND '.join(shown)}" if shown else query

    def sql(self, question: Question) -> str:
        """What makes the rows of an answer, in any order, for `nextclick sql`; of persons, with visitors in their place."""
        query = self._query(question, (question.by,), {})
        for condition in question.where:
            values = ", ".join(map(duck.text, condition.values))
            query = query.replace(f"(SELECT unnest(${condition.dimension}))", f"({values})")
        return query


def _line(report: Report) -> tuple[str, ...]:
    """How the rows for its line are grouped; it has none where its days are cohorts."""
    return (report.date,) if report.date and not report.across else ()


def _term(report: Report, condition: Condition) -> str:
    """SQL of the rows that a condition leaves: also those that stand beside, since they have no value that it could mean."""
    rows = report.beside.get(condition.dimension)
    return f'({condition.sql} OR "{condition.dimension}" IS NULL AND {rows})' if rows else condition.sql


def _ungrouped(names: Sequence[str], by: Sequence[str]) -> int:
    """As Report.query numbers a grouping."""
    return sum(1 << place for place, name in enumerate(reversed(names)) if name not in by)


def _order(question: Question, row: Row) -> tuple[Any, ...]:
    """By days, numbers and what the first figure stays apart by, then that, the largest first, then words; what is absent comes last."""
    groups, apart = len(question.by), question.metrics[0].apart
    first = row[groups]
    leading = [
        key for name, key in zip(question.by, row, strict=False) if isinstance(key, date | int | None) or name in apart
    ]
    return [(key is None, key) for key in leading], first is None, -(first or 0), [str(key) for key in row[:groups]]
