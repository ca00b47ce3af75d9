"""Paths: which pages or events visits come to after an anchor, or came by before it, step by step.

A visit's pages (or kinds of event) stand in the order of time, ties by event id, equal neighbours as one. The anchor is a visit's first
event of that page or pattern, without one the start of the visit; visits that never come to it are left out. At each step the commonest
are named and the rest is OTHER, and visits that had no further step are at END, so that each step's visits add up to all.
"""

from collections import Counter
from typing import Final, Literal

import msgspec

from analytics.journeys import units
from analytics.journeys.days import Days
from analytics.journeys.patterns import Values, pattern, pattern_sql
from nextclick.contracts.events import OUTSIDE_SESSIONS
from nextclick.definitions.pages import HOST, PAGE
from nextclick.errors import UsageError
from nextclick.lake import duck
from nextclick.settings import Settings

MOST_STEPS: Final = 5
OTHER, START, END = "(other)", "(start)", "(end)"
Direction = Literal["after", "before"]
Places = Literal["pages", "events"]
_PLACES: Final[dict[Places, str]] = {
    "pages": f"nullif(regexp_extract(page_url, '{PAGE}'), '')",
    "events": f"CASE WHEN event NOT IN {OUTSIDE_SESSIONS} THEN event END",
}
_ROWS: Final = """
CREATE TEMP TABLE rows AS
SELECT unit, {place} AS place, {anchors} AS anchors,
       row_number() OVER (PARTITION BY unit ORDER BY occurred_at, event_id, client_time) AS number
FROM unit_events WHERE place IS NOT NULL OR anchors
"""
_FROM_ANCHOR: Final = """
SELECT unit, place, number = anchor AS anchors, number FROM rows
JOIN (SELECT unit, min(number) AS anchor FROM rows WHERE anchors GROUP BY unit) USING (unit)
WHERE number = anchor OR number {later} anchor AND place IS NOT NULL
"""
_FROM_EDGE: Final = """
SELECT unit, place, false AS anchors, number FROM rows
UNION ALL SELECT visit, NULL, true, NULL FROM visits
"""
_STEPS: Final = """
CREATE TEMP TABLE steps AS
SELECT unit, place, row_number() OVER (PARTITION BY unit ORDER BY anchors DESC, number {order}) - 1 AS step
FROM (
    SELECT *, place IS DISTINCT FROM lag(place) OVER (PARTITION BY unit ORDER BY anchors DESC, number {order}) AS moved
    FROM ({rows})
)
WHERE moved OR anchors QUALIFY step <= $1
"""
_LINKS: Final = """
WITH places AS (
    SELECT step, place, row_number() OVER (PARTITION BY step ORDER BY visits DESC, place) AS rank
    FROM (SELECT step, place, count(*) AS visits FROM steps GROUP BY ALL)
), named AS (
    SELECT unit, step, CASE WHEN step = 0 THEN $2 WHEN rank <= $3 THEN place ELSE $4 END AS name
    FROM steps LEFT JOIN places USING (step, place)
)
SELECT a.step + 1 AS step, a.name AS source, coalesce(b.name, $5) AS target, count(*) AS visits
FROM named a LEFT JOIN named b ON a.unit = b.unit AND b.step = a.step + 1
WHERE a.step < $1 GROUP BY ALL ORDER BY step, visits DESC, source, target
"""


class PathsQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """Paths as somebody asks for them."""

    anchor: str | None = None
    """A page (an address, or a path that begins with `/`) or a pattern of events; None: the visit's start, or before it its end."""
    direction: Direction = "after"
    of: Places = "pages"
    steps: int = 5
    top: int = 20
    days: Days = Days()
    """Of the visits' starts."""


class PathPlace(msgspec.Struct, frozen=True):
    """A place of a step: a page or kind of event, OTHER, or END (before an anchor: START)."""

    place: str
    visits: int


class PathLink(msgspec.Struct, frozen=True):
    """Visits at a place of a step, by their place one step nearer to the anchor."""

    step: int
    """Of the target, from 1."""
    source: str
    target: str
    visits: int


class VisitPaths(msgspec.Struct, frozen=True, kw_only=True):
    """The answer."""

    anchor: str
    direction: Direction
    of: Places
    visits: int
    """That come to the anchor."""
    steps: list[list[PathPlace]]
    """By step, the commonest first: each adds up to `visits`; who ended stays ended."""
    links: list[PathLink]
    """From all places but ends."""


def answer(settings: Settings, question: PathsQuestion) -> VisitPaths:
    """Count the visits that start in the days."""
    if not 1 <= question.steps <= MOST_STEPS or question.top < 1:
        raise UsageError(f"Paths have 1 to {MOST_STEPS} steps, and name one place or more at each.")
    start, end, order, later = (START, END, "", ">") if question.direction == "after" else (END, START, "DESC", "<")
    values = Values()
    anchors = _anchor_sql(question.anchor, values)
    rows = _FROM_EDGE if question.anchor is None else _FROM_ANCHOR.format(later=later)
    with duck.answering(settings.lake, "Paths") as database:
        units.show_visits(database, settings, question.days)
        database.execute(_ROWS.format(place=_PLACES[question.of], anchors=anchors), [*values])
        database.execute(_STEPS.format(rows=rows, order=order), [question.steps])
        anchor = question.anchor or start
        links = database.execute(_LINKS, [question.steps, anchor, question.top, OTHER, end]).fetchall()
    return VisitPaths(
        anchor=anchor,
        direction=question.direction,
        of=question.of,
        visits=sum(visits for step, *_, visits in links if step == 1),
        steps=_steps(links, question.steps, end),
        links=[PathLink(*link) for link in links],
    )


def _anchor_sql(anchor: str | None, values: Values) -> str:
    """SQL: the event is one of the anchor."""
    if anchor is None:
        return "false"
    if "://" in anchor:
        return f"coalesce({_PLACES['pages']} = {values.add(anchor)}, false)"
    if anchor.startswith("/"):
        return f"coalesce(regexp_replace({_PLACES['pages']}, '{HOST}', '') = {values.add(anchor)}, false)"
    return pattern_sql(pattern(anchor), values)


def _steps(links: list[tuple[int, str, str, int]], steps: int, end: str) -> list[list[PathPlace]]:
    ended, result = 0, []
    for number in range(1, steps + 1):
        places = Counter({end: ended})
        for step, _, target, visits in links:
            places[target] += visits * (step == number)
        ended = places[end]
        result.append(
            [PathPlace(*place) for place in sorted(places.items(), key=lambda place: (-place[1], place[0])) if place[1]]
        )
    return result
