"""What an address says: days, comparison, filters and groupings. All state of a page stands there."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cached_property
from typing import Final, NamedTuple
from urllib.parse import urlencode

from analytics.answers import Reports
from analytics.catalog import report as named
from analytics.question import Compared, Question, conditions, day
from analytics.report import Report
from dashboard.panels import Choice, Panel
from nextclick.errors import UsageError

RANGES: Final[Mapping[str, int]] = {"7d": 7, "28d": 28, "90d": 90, "365d": 365}
"""Ranges by name, in days; they end with the last full day that there is."""
_USUAL_RANGE: Final = "28d"
_MOST_DAYS: Final = 3_660
_YEARS: Final = (1970, 2999)
_NONE: Final = "none"
_DAYS_OF: Final = "traffic"
"""The report whose last full day ends every panel's range, so that all are of the same days."""


class PageSeal(NamedTuple):
    """What comes with a link to one page."""

    sign: Callable[[str], str]
    """Makes the addresses of the page's data open, too."""
    until: int
    """Seconds since 1970-01-01 UTC."""


@dataclass(frozen=True)
class PageAddress:
    """An address as it was asked; UsageError for words in it that mean nothing."""

    path: str
    words: tuple[tuple[str, str], ...]
    """Names and values of the query, in order."""
    newest: date
    """The last full day that there is."""
    today: date
    seal: PageSeal | None = None
    """Of a page that a link opened, which leads nowhere else; None: everywhere."""

    def word(self, name: str) -> str:
        """The first value of a name; empty: it has none."""
        return next(iter(self.words_of(name)), "")

    def words_of(self, name: str) -> Sequence[str]:
        """All values of a name, but for empty ones."""
        return [value.strip() for key, value in self.words if key == name and value.strip()]

    @cached_property
    def range(self) -> str:
        """A name of RANGES, or empty where the days themselves are named."""
        chosen = self.word("range")
        if chosen and chosen not in RANGES:
            raise UsageError(
                f"There is no range {chosen!r}. The ranges are {', '.join(RANGES)}; or name days: from=…&to=…."
            )
        return chosen or ("" if self.word("from") or self.word("to") else _USUAL_RANGE)

    @cached_property
    def last(self) -> date:
        return self.newest if self.range or not self.word("to") else self._day("to")

    @cached_property
    def first(self) -> date:
        if self.range or not self.word("from"):
            return self.last - timedelta(RANGES[self.range or _USUAL_RANGE] - 1)
        first = self._day("from")
        if self.last - first > timedelta(_MOST_DAYS):
            raise UsageError(f"From {first} to {self.last} are more than {_MOST_DAYS:,} days: name fewer.")
        return first

    def _day(self, name: str) -> date:
        there = day(self.word(name), self.today)
        if not _YEARS[0] <= there.year <= _YEARS[1]:
            raise UsageError(f"{there} is not of the years {_YEARS[0]} to {_YEARS[1]}.")
        return there

    @cached_property
    def compared(self) -> Compared | None:
        chosen = self.word("compare") or Compared.PREVIOUS.value
        return None if chosen == _NONE else compared(chosen)

    @cached_property
    def where(self) -> tuple[str, ...]:
        texts = tuple(self.words_of("where"))
        conditions(texts)
        return texts

    @cached_property
    def by_person(self) -> bool:
        """Whether persons are counted, by what can count them."""
        return self.word("unit") == "person"

    def chosen(self, choice: Choice) -> str:
        """The value of a dimension of which one is shown."""
        value = self.word(choice.dimension) or choice.values[0]
        if value not in choice.values:
            raise UsageError(f"There is no {choice.dimension} {value!r}. There are {', '.join(choice.values)}.")
        return value

    @property
    def figure(self) -> str:
        """The figure whose line a series shows; empty: its first."""
        return self.word("figure")

    def by(self, panel: Panel) -> str:
        """How a panel is grouped; empty: as its report is where nobody says."""
        return self.word(f"by.{panel.stem}") or (panel.by[0] if panel.by else "")

    def question(self, reports: Reports, panel: Panel) -> Question:
        """A panel's question of these days, with the filters that its report has."""
        report, by = named(panel.report), self.by(panel)
        fixed = [*panel.where, *([f"{panel.choice.dimension}={self.chosen(panel.choice)}"] if panel.choice else [])]
        free = {*report.dimensions} - {condition.dimension for condition in conditions(fixed)}
        where = [*fixed, *(text for text in self.where if _dimension(text) in free)]
        by_person = panel.counts_persons and self.by_person
        question = reports.question(
            report,
            *self.days(report, panel.goes_on),
            tuple(by.split(",")) if by else (),
            where,
            panel.figures,
            by_person,
        )
        return replace(question, rows_alone=not panel.has_line)

    def days(self, report: Report, goes_on: bool = False) -> tuple[str | None, str | None]:
        """First and last day, for a report that is of days; what goes on ends today unless a last day is named."""
        last = max(self.last, self.today) if goes_on and not self.word("to") else self.last
        return (self.first.isoformat(), last.isoformat()) if report.is_of_days else (None, None)

    def unfiltered(self, panel: Panel) -> Sequence[str]:
        """Filters that the panel's report lacks."""
        return [text for text in self.where if _dimension(text) not in named(panel.report).dimensions]

    def link(self, path: str = "", **changes: str | Sequence[str]) -> str:
        """This address with other values for some names, without them for empty ones; `by_` stands for `by.`; sealed, none."""
        if self.seal:
            return ""
        new = {
            name.replace("by_", "by.", 1) if name.startswith("by_") else name: value for name, value in changes.items()
        }
        kept = [(name, value) for name, value in self.words if name not in new and value]
        for name, value in new.items():
            kept += [(name, each) for each in ([value] if isinstance(value, str) else value) if each]
        return f"{path or self.path}?{urlencode(kept)}" if kept else path or self.path

    def data(self, address: str) -> str:
        """The address of what belongs to this page, as a reader of it may open it."""
        return self.seal.sign(address) if self.seal else address

    def of_page(self, path: str) -> str:
        """Another page of the same days and filters."""
        kept = [
            (name, value) for name, value in self.words if name in ("range", "from", "to", "compare", "where") and value
        ]
        return f"{path}?{urlencode(kept)}" if kept else path

    def filtered(self, name: str, value: object, sign: str = "=") -> str:
        """This address with one more filter, in place of another of the same name; the sign is `=` or `!=`."""
        others = [text for text in self.where if _dimension(text) != name]
        return self.link(where=[*others, f"{name}{sign}{'' if value is None else value}"])

    @property
    def wanted_filter(self) -> str:
        """Where the form for one more filter leads; empty: this address does not come from it."""
        name = self.word("filter")
        sign = "!=" if self.word("sign") == "!=" else "="
        form = replace(self, words=tuple(word for word in self.words if word[0] not in ("filter", "sign", "value")))
        return form.filtered(name, self.word("value"), sign) if name else ""

    def without(self, text: str) -> str:
        """This address without a filter."""
        return self.link(where=[each for each in self.where if each != text])


def view(reports: Reports, path: str, words: Sequence[tuple[str, str]], seal: PageSeal | None = None) -> PageAddress:
    """The address of a request; of those that mean the same by what they leave out, the shortest."""
    names = {name for name, value in words if value.strip()}
    unsaid = ("range", _USUAL_RANGE) if names.isdisjoint(("from", "to")) else ()
    said = tuple(word for word in words if word[1].strip() and word != unsaid)
    return PageAddress(path, said, reports.question(named(_DAYS_OF)).last, reports.today, seal)


def compared(text: str) -> Compared:
    """UsageError for a word that is none."""
    if text not in [*Compared]:
        raise UsageError(f"Nothing is compared to {text!r}. Say {', '.join(Compared)} or {_NONE}.")
    return Compared(text)


def _dimension(condition: str) -> str:
    return conditions([condition])[0].dimension
