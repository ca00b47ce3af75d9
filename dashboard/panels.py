"""What a page consists of: panels, each one question of a report in a shape, and parts that are more than that."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from analytics.catalog import report as named

_NO_FILTERS: Final = frozenset(
    {"date", "cohort", "n", "days", "written_at", "checked_on", "observed", "meaning", "message"}
)
"""Dimensions that nobody chooses a value of: days are the range's, others are sentences or numbers of their own."""


class Shape(StrEnum):
    """How an answer is shown; figures are there as text in each."""

    SERIES = "series"
    """The figures of the range beside each other, and the line of the one that is chosen."""
    LINES = "lines"
    """A line of each figure."""
    STACK = "stack"
    """Figures of a day on one another."""
    BARS = "bars"
    """A table whose first figure is a bar as well."""
    TABLE = "table"
    TILES = "tiles"
    """A row a tile."""
    HEAT = "heat"
    """A table of the groups by what lies across, the last figure as a shade."""
    COLUMNS = "columns"
    """The first figure of each group as a column, in the groups' order."""


_LINES: Final = (Shape.SERIES, Shape.LINES, Shape.STACK)


@dataclass(frozen=True)
class Choice:
    """A dimension of which one value at a time is shown, since over several nothing adds up; the address has it by its name."""

    dimension: str
    values: tuple[str, ...]
    """The first where nobody says."""


@dataclass(frozen=True)
class Panel:
    """A question of a report, and how its answer is shown."""

    title: str
    report: str
    shape: Shape = Shape.BARS
    by: tuple[str, ...] = ()
    """Ways of grouping to choose from, such as `channel` or `item_id,name`, the first by default; none: the report's own."""
    figures: tuple[str, ...] = ()
    """In this order; none: the report's."""
    where: tuple[str, ...] = ()
    """Conditions that hold whatever else is chosen."""
    most: int = 10
    """Rows that are shown; CSV has all."""
    is_wide: bool = False
    """It has a line of the page for itself."""
    choice: Choice | None = None
    goes_on: bool = False
    """Its days are those of arrival, not of visits: it goes on to today, unless the address names a last day."""
    draws: tuple[str, ...] = ()
    """Of COLUMNS, the figures beside each other; none: the one that is chosen."""
    across: str = ""
    """Of HEAT, whose values stand side by side; empty: what the report has across."""
    counts_persons: bool = False
    """It counts persons in place of visitors where the address says so."""

    @property
    def has_line(self) -> bool:
        """Whether it draws the range day by day."""
        return self.shape in _LINES

    @property
    def stem(self) -> str:
        """Its name in addresses."""
        return re.sub(r"\W+", "-", self.title.lower())


@dataclass(frozen=True)
class Part:
    """A piece of a page that one question of a report does not make: its function of dashboard/parts/, and its template."""

    name: str
    reports: tuple[str, ...] = ()
    """Whose answers it shows."""


@dataclass(frozen=True)
class DashboardPage:
    """A page: what it answers, and what stands on it, in order."""

    stem: str
    title: str
    doc: str
    blocks: tuple[Panel | Part, ...]

    @property
    def panels(self) -> tuple[Panel, ...]:
        return tuple(block for block in self.blocks if isinstance(block, Panel))

    @property
    def reports(self) -> frozenset[str]:
        """Names of the reports that it shows."""
        parts = (name for block in self.blocks if isinstance(block, Part) for name in block.reports)
        return frozenset({*parts, *(panel.report for panel in self.panels)})

    @property
    def is_of_days(self) -> bool:
        """Whether a range of days matters to it."""
        return any(named(name).is_of_days for name in self.reports)

    @property
    def counts_persons(self) -> bool:
        """Whether it has anything that counts persons."""
        return any(panel.counts_persons for panel in self.panels)

    @property
    def filters(self) -> tuple[str, ...]:
        """Dimensions that one of its panels can be filtered by, in the order in which reports name them; days are a range's."""
        names = dict.fromkeys(name for panel in self.panels for name in named(panel.report).dimensions)
        chosen = {panel.choice.dimension for panel in self.panels if panel.choice}
        return tuple(name for name in names if name not in chosen | _NO_FILTERS)
