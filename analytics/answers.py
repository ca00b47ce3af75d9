"""Reports answered from a lake's tables."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeVar

import duckdb

from analytics import passes
from analytics.answer_cache import AnswerCache, Turns
from analytics.answer_rows import AnswerRows, Row, ordered
from analytics.passes import By, Pass
from analytics.people import by_audience
from analytics.people.counts import DayRange
from analytics.people.first_days import FirstDays
from analytics.people.visitor_days import AT_ONCE, NumberedVisitors, day_number
from analytics.question import DAYS, Question, conditions, day
from analytics.report import FIRSTS_AROUND, ROWS, Report, earliest_today, report_values
from nextclick.contracts.gold_anomalies import SUSPECTS, TIMES
from nextclick.errors import LakeError, UsageError
from nextclick.lake import duck
from nextclick.lake.memory import TableMemory
from nextclick.lake.table_state import StampedStates, table_states
from nextclick.settings import AnalyticsSettings

if TYPE_CHECKING:
    import pyarrow as pa

T = TypeVar("T")
_CELL_BYTES = 64
_OTHERS = 256
"""Answers of funnels and paths: a few kilobytes each."""
_AT_ONCE = 2
"""Passes: each has all processors, and memory of its own."""
_STATES = (
    "CREATE OR REPLACE TEMP TABLE table_states (table_name TEXT, version BIGINT, rows BIGINT, written_at TIMESTAMPTZ)"
)


@dataclass(frozen=True, eq=False)
class Answer:
    """Rows of a report: first the values that they are grouped by, then the figures, each None where there is none.

    What is asked again is the same object while it is kept.
    """

    question: Question
    rows: AnswerRows
    whole: Row
    """The figures of all rows together, counted anew, not summed; None where that would mean nothing, or nobody wants them."""
    days: Mapping[date, Row]
    """The figures of each day of the range, for a line; none where nobody wants them."""
    unfinished: date | None
    """Today, where the range reaches it."""
    versions: Mapping[str, int | None]
    """Of the tables that were read; None: never written."""
    notes: tuple[str, ...] = ()
    """What has to be known of these tables."""

    @property
    def bytes(self) -> int:
        """In memory, about."""
        return self.rows.bytes + (len(self.days) + 1) * len(self.columns) * _CELL_BYTES

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
        leave_out_suspects: bool = False,
    ) -> None:
        self._leaves_out = leave_out_suspects
        self.tables, self.settings, self._now = tables, settings, now
        self._answers = AnswerCache[Answer](answer_bytes)
        self._firsts: dict[str, FirstDays] = {}
        self._numbers: dict[str, NumberedVisitors] = {}
        self._states: StampedStates = {}
        self._others = AnswerCache[Any](_OTHERS)
        self._turns = Turns(_AT_ONCE)

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
        audience: str = "",
    ) -> Question:
        """A question in words as the command line has them. By default it is of the last 28 full days that there are."""
        if (first or last) and not report.is_of_days:
            raise UsageError(f"The report {report.name} is of now, not of days: leave --from and --to out.")
        end = day(last, self.today) if last else self._last_full_day(report) or self.today - timedelta(1)
        begin = day(first, self.today) if first else end - timedelta(DAYS - 1)
        return Question(
            report, begin, end, tuple(by) or report.by, conditions(where), tuple(figures), by_person, audience
        )

    def answer(self, question: Question) -> Answer:
        """LakeError where a table cannot be read."""
        return self._answered([question])[0]

    def prepare(self, questions: Iterable[Question]) -> dict[Question, Answer]:
        """Answer what will be asked in as few passes as it takes; what is not among the answers says why when it is asked."""
        shared = defaultdict[Hashable, list[Question]](list)
        for question in dict.fromkeys(questions):
            if question.follows_from_tables:
                shared[passes.shared(question)].append(question)

        def answered(some: Sequence[Question]) -> Iterable[tuple[Question, Answer]]:
            with suppress(LakeError):
                return zip(some, self._answered(some), strict=True)
            return ()

        there = dict(self._at_hand(chain.from_iterable(shared.values())))
        missing = [some for some in shared.values() if not there.keys() >= {*some}]
        if missing:  # threads of its own cost a page more than all of its answers, where these are kept
            with ThreadPoolExecutor(_AT_ONCE) as pool:  # where one of them opens files, another counts
                there |= chain.from_iterable(pool.map(answered, missing))
        return there

    def _at_hand(self, questions: Iterable[Question]) -> Iterator[tuple[Question, Answer]]:
        """Answers that are kept, of the tables as they are now."""
        reads = [(each, self._reads(each.report)) for each in questions]
        names = {name for _, some in reads for name in some}
        with suppress(LakeError):
            stamps = dict(zip(names, self.tables.stamps(names), strict=True))
            for each, some in reads:
                if answer := self._answers.get((each, self.today, *map(stamps.__getitem__, some))):
                    yield each, answer

    def kept(self, key: Hashable, reads: Sequence[str], make: Callable[[], T]) -> T:
        """What `make` gives, from memory while the tables that it reads stand still. Who asks the same meanwhile waits."""
        with self._turns.of(key):
            stamped = (key, self.today, *self.tables.stamps(reads))
            answer: T | None = self._others.get(stamped)
            if answer is None:
                with self._turns.few:
                    answer = make()
                self._others.put(stamped, answer, 1)
            return answer

    def _answered(self, questions: Sequence[Question]) -> list[Answer]:
        """Of questions that share a pass. Who asks the same meanwhile waits, and has the same answers."""
        report, keeps = questions[0].report, questions[0].follows_from_tables
        with self._turns.of(passes.shared(questions[0])), duck.counting(f"The report {report.name}"):
            with self._shown(report) as database:
                stamp = (self.today, *map(self.tables.stamp, self._reads(report)))
                kept = {each: self._answers.get((each, *stamp)) for each in questions if keeps}
                answers = {each: answer for each, answer in kept.items() if answer}
                if missing := [each for each in questions if each not in answers]:
                    with self._turns.few:
                        try:
                            answers |= self._counted(database, missing)
                        except duckdb.OutOfMemoryException:
                            with self.tables.more_memory():
                                answers |= self._counted(database, missing)
            for each in missing if keeps else ():
                self._answers.put((each, *stamp), answers[each], answers[each].bytes)
        return [answers[each] for each in questions]

    def _counted(self, database: duckdb.DuckDBPyConnection, questions: Sequence[Question]) -> dict[Question, Answer]:
        report, line = questions[0].report, _line(questions[0].report)
        more = () if all(each.rows_alone for each in questions) else (line, ())
        together = Pass(questions, tuple(dict.fromkeys((*(each.by for each in questions), *more))))
        groups = together.groups(database, self._values(questions[0]) | self._views(database, questions[0]))
        versions = {name: self.tables.version(name) for name in report.reads}
        notes = report.says(self.tables.lake) if report.says else ()
        if questions[0].audience:
            notes += (by_audience.note(questions[0].audience),)
        return {each: self._of_groups(each, groups, versions, notes) for each in questions}

    def _of_groups(
        self, question: Question, groups: Mapping[By, "pa.Table"], versions: Any, notes: tuple[str, ...]
    ) -> Answer:
        report, line, first = question.report, _line(question.report), question.metrics[0]
        names = [metric.name for metric in question.metrics]
        rows = ordered(groups[question.by].select([*question.by, *names]), question.by, first.name, first.apart)
        whole, days = (None,) * len(names), dict[date, Row]()
        if not question.rows_alone:
            whole = next(iter(AnswerRows(groups[()].select(names)))) if rows else whole
            days = (
                {row[0]: row[1:] for row in sorted(AnswerRows(groups[line].select([*line, *names])))} if line else days
            )
        full = [there for there in days if there < self.today]
        return Answer(
            question,
            rows,
            days[max(full)] if report.last_day and full else whole,
            days,
            self.today if question.last >= self.today and report.is_of_days else None,
            versions,
            notes,
        )

    def _reads(self, report: Report) -> tuple[str, ...]:
        """Its tables, and suspects where what they did is left out of rows of silver; gold is without them by itself."""
        return (*report.reads, SUSPECTS.name) if self._leaves_out and "{counts}" in report.rows else tuple(report.reads)

    def _shown(self, report: Report) -> duckdb.DuckDBPyConnection:
        database = self.tables.connection(self._reads(report))
        if report.of_states:
            database.execute(_STATES)
            states = table_states(self.tables.lake, self._states).items()
            rows = [
                (name, state.version, state.rows if state.version is not None else None, state.updated_at)
                for name, state in states
            ]
            database.execute(
                "INSERT INTO table_states SELECT unnest($1), unnest($2), unnest($3), unnest($4)",
                [*map(list, zip(*rows, strict=True))],
            )
        return database

    def _views(self, database: duckdb.DuckDBPyConnection, question: Question) -> dict[str, str]:
        """What stands for tables, and for what is known of visitors: of persons, or of the days alone that matter."""
        report, lake = question.report, self.tables.lake
        views = by_audience.show(database, lake, report, question.audience) if question.audience else {}
        if question.by_person:
            from analytics.people import by_person  # it takes half a second, and few ask

            return by_person.show(database, lake, report, views)
        if views:
            return views
        if counted := self._counted_rows(database, question):
            return counted
        firsts = self._first_days(database, question)
        if report.around is None:
            return firsts
        days = report.around + report.looks_back * self.settings.active_days
        first, last = question.around(days, self._last_full_day(report))  # some look back from there
        last = date.max if report.onwards else last
        return firsts | {name: self.tables.between(name, first, last) for name in report.reads}

    def _counted_rows(self, database: duckdb.DuckDBPyConnection, question: Question) -> dict[str, str]:
        """The report's rows from the numbers of visitors; nothing where it has none that way, or there are no numbers."""
        report, newest = question.report, self._last_full_day(question.report)
        if not report.counted or not newest:
            return {}
        [name] = report.reads
        numbered = self._numbers.setdefault(name, NumberedVisitors(self.tables.lake, name))
        # A report that does not need all days would rather read those of its range than number all that there are.
        most_days = None if "{firsts}" in report.rows else AT_ONCE
        days = numbered.at(database, self.tables.table(name), most_days)
        if not days:
            return {}
        first, last, newest_full = map(day_number, (question.first, question.last, newest))
        wanted = DayRange(first, last, newest_full, self.settings.active_days)
        database.register("counted", report.counted(days, wanted))
        return {ROWS: "FROM counted"}

    def _first_days(self, database: duckdb.DuckDBPyConnection, question: Question) -> dict[str, str]:
        """Of visitors, from files that hold nothing else; persons have theirs counted anew."""
        report = question.report
        if "{firsts}" not in report.rows:
            return {}
        name = report.reads[0]
        kept = self._firsts.setdefault(name, FirstDays(self.tables.lake, name))
        return {"firsts": kept.between(database, self.tables.table(name), *question.around(FIRSTS_AROUND))}

    def _last_full_day(self, report: Report) -> date | None:
        """Yesterday, or the newest day of the report's tables, where that is earlier; None where they have none."""
        days = [day for name in report.reads if (day := self.tables.newest_day(name))]
        return min(max(days), self.today - timedelta(1)) if days else None

    def _values(self, question: Question) -> dict[str, str]:
        newest = self._last_full_day(question.report)
        sql = f"DATE '{newest}'" if newest else "CAST(NULL AS DATE)"
        values = report_values(self.settings, sql, question.first, question.last)
        return values | {"counts": self._counts(question.report)} if self._leaves_out else values

    def _counts(self, report: Report) -> str:
        """SQL: the row is of nobody who was a suspect on its day, in UTC, as the step `anomalies` counts days."""
        time = next((TIMES[name] for name in report.reads if name in TIMES), "NULL")
        day = f"CAST({time} AT TIME ZONE 'UTC' AS DATE)"
        return (
            f"(site, visitor_id, {day}) NOT IN (SELECT (site, visitor_id, date) FROM {SUSPECTS.name} WHERE is_suspect)"
        )

    def sql(self, question: Question) -> str:
        """What makes the rows of an answer, in any order, for `nextclick sql`: of all visitors, where it is of persons or an audience."""
        return Pass([question], (question.by,)).query_with_values(self._values(question))


def _line(report: Report) -> tuple[str, ...]:
    """How the rows for its line are grouped; it has none where its days are cohorts."""
    return (report.date,) if report.date and not report.across else ()
