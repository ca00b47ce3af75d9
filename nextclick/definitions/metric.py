"""How a figure is defined: what it means, in which unit, and over what it may be added up."""

import re
from dataclasses import dataclass
from enum import StrEnum


class MetricUnit(StrEnum):
    """What a value counts."""

    NUMBER = "number"
    SHARE = "share"
    MONEY = "money"
    SECONDS = "seconds"
    PERCENT = "per cent"
    EACH = "per one"
    """A quotient of two counts that is no share, such as views per visit."""


@dataclass(frozen=True)
class Definition:
    """A word of the reports, such as what a visit is."""

    name: str
    meaning: str


@dataclass(frozen=True)
class Metric:
    """A figure of the reports, counted over rows."""

    name: str
    meaning: str
    """One sentence, with the edges."""
    sql: str
    """An aggregate over a report's rows. DuckDB and Spark take the same text."""
    unit: MetricUnit = MetricUnit.NUMBER
    apart: tuple[str, ...] = ()
    """Columns over which it is never put together: where rows of several values of one meet, there is no figure."""
    is_of_a_row: bool = False
    """`apart` tells each row from all others, so there is a figure where there is one row."""

    @property
    def adds_up(self) -> bool:
        """Whether the figures of parts that do not overlap sum to that of the whole, but for `apart`."""
        return re.fullmatch(r"sum\(\w+\)", self.sql) is not None

    @property
    def looks_at_rows(self) -> bool:
        """Whether it is more than sums: each value counts, or its place among the others."""
        return re.search("DISTINCT|percentile", self.sql) is not None

    @property
    def guarded(self) -> str:
        """The aggregate, null where it would put together what stays apart."""
        if self.is_of_a_row:  # to look at each row's texts takes twice the time of all sums
            return f"CASE WHEN count(*) = 1 THEN {self.sql} END"
        alone = " AND ".join(f"min({column}) IS NOT DISTINCT FROM max({column})" for column in self.apart)
        return f"CASE WHEN {alone} THEN {self.sql} END" if alone else self.sql

    @property
    def note(self) -> str:
        """Over what it adds up, in words."""
        if not self.adds_up:
            return "does not add up"
        return f"adds up, but never over {', '.join(self.apart)}" if self.apart else "adds up"


def total(name: str, meaning: str, unit: MetricUnit = MetricUnit.NUMBER, apart: tuple[str, ...] = ()) -> Metric:
    """The sum of the rows' column of the same name."""
    return Metric(name, meaning, f"sum({name})", unit, apart)


def ratio(name: str, meaning: str, of: Metric, to: Metric, unit: MetricUnit = MetricUnit.SHARE) -> Metric:
    """A quotient of two sums, made after they were put together; null where the lower one is 0."""
    return Metric(name, meaning, f"{of.sql} / nullif({to.sql}, 0)", unit, tuple(dict.fromkeys(of.apart + to.apart)))


def beside(name: str, meaning: str, of: Metric) -> Metric:
    """A sum that stands in each row that a report's `beside` tells apart, whole: of its rows that have no value there, too."""
    return Metric(name, meaning, f"sum({of.sql}) OVER (PARTITION BY {{group}})", of.unit)


def of_the_row(name: str, meaning: str, grain: tuple[str, ...], unit: MetricUnit = MetricUnit.NUMBER) -> Metric:
    """A figure that stands in one row and cannot be made from others': it is there only where each of `grain`, the rows' key, is one."""
    return Metric(name, meaning, f"max({name})", unit, grain, is_of_a_row=True)
