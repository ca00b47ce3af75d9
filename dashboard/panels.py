"""What a page consists of: panels, each one question of a report in a shape."""

import re
from dataclasses import dataclass
from enum import StrEnum

from analytics.catalog import report as named


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
    """Groups by what the report has across, the last figure as a shade."""


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

    @property
    def stem(self) -> str:
        """Its name in addresses."""
        return re.sub(r"\W+", "-", self.title.lower())


@dataclass(frozen=True)
class DashboardPage:
    """A page: what it answers, and its panels in order."""

    stem: str
    title: str
    doc: str
    panels: tuple[Panel, ...] = ()
    special: str = ""
    """A part that is no report: its function of dashboard/parts.py, and its template."""

    @property
    def is_of_days(self) -> bool:
        """Whether a range of days matters to it."""
        return any(named(panel.report).is_of_days for panel in self.panels)
