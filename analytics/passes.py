"""Questions of the same rows of one report, answered in one pass over them."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from analytics.question import Condition, Question
from analytics.report import Report
from nextclick.definitions.metric import Metric
from nextclick.lake import duck

if TYPE_CHECKING:
    import pyarrow as pa
    from duckdb import DuckDBPyConnection

By = tuple[str, ...]


def shared(question: Question) -> Hashable:
    """What questions have in common that one pass answers: also which figures look at each row, and cost more than sums."""
    looking = frozenset(metric.name for metric in question.metrics if metric.looks_at_rows)
    who = question.by_person, question.audience
    return question.report.name, question.first, question.last, question.where, who, looking


@dataclass(frozen=True)
class Pass:
    """Questions that share one, and by what rows are grouped for them."""

    questions: Sequence[Question]
    groupings: Sequence[By]

    @property
    def report(self) -> Report:
        return self.questions[0].report

    @cached_property
    def metrics(self) -> Sequence[Metric]:
        """Of all questions, in the report's order."""
        names = {metric.name for question in self.questions for metric in question.metrics}
        return [metric for metric in self.report.metrics if metric.name in names]

    @cached_property
    def names(self) -> By:
        """Of all groupings."""
        return tuple(dict.fromkeys(name for by in self.groupings for name in by))

    def query(self, values: Mapping[str, str]) -> str:
        """Of the conditions' values, each is a parameter with the dimension's name; `values` as Report.query takes them."""
        question, report = self.questions[0], self.report
        terms = [_term(report, condition) for condition in question.where]
        if report.date:
            terms.append(f"{report.date} BETWEEN DATE '{question.first}' AND DATE '{question.last}'")
        filtered = [condition.dimension for condition in question.where]
        query = report.query(self.groupings, self.metrics, values, " AND ".join(terms) or "true", filtered)
        kept = [
            f"(ungrouped & {self._bits([condition.dimension])} <> 0 OR {condition.sql})"
            for condition in question.where
            if condition.dimension in report.beside and condition.dimension in self.names
        ]
        return f"SELECT * FROM ({query}) WHERE {' AND '.join(kept)}" if kept else query

    def query_with_values(self, values: Mapping[str, str]) -> str:
        """The same with the conditions' values in it."""
        query = self.query(values)
        for condition in self.questions[0].where:
            listed = ", ".join(map(duck.text, condition.values))
            query = query.replace(f"(SELECT unnest(${condition.dimension}))", f"({listed})")
        return query

    def groups(self, database: "DuckDBPyConnection", values: Mapping[str, str]) -> "dict[By, pa.Table]":
        """The figures of the rows by each of the groupings, beside the values that they are grouped by."""
        import pyarrow.compute as pc

        bound = {condition.dimension: list(condition.values) for condition in self.questions[0].where}
        rows = duck.arrow(database, self.query(values), bound)
        ungrouped = {by: self._bits(name for name in self.names if name not in by) for by in self.groupings}
        return {by: rows.filter(pc.equal(rows["ungrouped"], bits)) for by, bits in ungrouped.items()}

    def _bits(self, ungrouped: Iterable[str]) -> int:
        """As Report.query numbers what a row is not grouped by."""
        return sum(1 << len(self.names) - 1 - self.names.index(name) for name in ungrouped)


def _term(report: Report, condition: Condition) -> str:
    """SQL of the rows that a condition leaves: also those that stand beside, since they have no value that it could mean."""
    rows = report.beside.get(condition.dimension)
    return f'({condition.sql} OR "{condition.dimension}" IS NULL AND {rows})' if rows else condition.sql
