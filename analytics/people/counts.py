"""Rows of reports of people, counted from numbers of visitors: what the reports' own queries make, some ten times sooner.

Days go by in order, and what is kept of each visitor is a number: the day, or week, of the last time. All days are days since
1970-01-01.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from analytics.people.visitor_days import NEVER, VisitorDays

if TYPE_CHECKING:
    import pyarrow as pa

_WEEK: Final = 7
_MONDAY: Final = 4
"""The first one since 1970-01-01."""
NOWHERE: Final = np.iinfo(np.int64).min
_NO_ONE: Final = np.zeros(0, np.uint32)


@dataclass(frozen=True)
class DayRange:
    """What a question asks of: its days, both included, the last full day that there is, and analytics.active_days."""

    first: int
    last: int
    newest: int
    active_days: int


Counting = Callable[[VisitorDays, DayRange], "pa.Table"]


def active(days: VisitorDays, wanted: DayRange) -> "pa.Table":
    """A row a day and site, from the site's first day to the newest of all: visitors of the day, of 7 days and of active_days."""
    sites, there = len(days.sites), dict(days.between(wanted.first - wanted.active_days + 1, wanted.last))
    start, end = (min(there), max(there) + 1) if there else (0, 0)
    last_seen = np.full(len(days.site_of), -1, np.int64)
    by_last = np.zeros((end - start, sites), np.int64)
    """Visitors whom the day saw last, so far."""
    of_day, of_week, of_month = np.zeros((3, end - start, sites), np.int64)
    for place in range(end - start):
        who = there.get(start + place, _NO_ONE)
        site, seen = days.site_of[who], last_seen[who]
        came_before = seen >= 0
        _add(by_last, (seen[came_before], site[came_before]), -1)
        _add(by_last, (np.full(len(who), place), site))
        last_seen[who] = place
        for counts, size in ((of_day, 1), (of_week, _WEEK), (of_month, wanted.active_days)):
            counts[place] = by_last[max(place - size + 1, 0) : place + 1].sum(axis=0)
    has_begun = of_day.cumsum(axis=0) > 0
    has_begun[: max(wanted.first - start, 0)] = False
    at = np.nonzero(has_begun)
    return _rows(
        {"date": _dates(start + at[0]), "site": _sites(days, at[1]), "dau": of_day[at], "wau": of_week[at]}
        | {"mau": of_month[at]}
    )


def retention(period: int, most: int) -> Counting:
    """By cohort, site and n, as the reports of retention: a period has so many days, and n is at most `most`."""

    def counted(days: VisitorDays, wanted: DayRange) -> "pa.Table":
        sites, cohort = len(days.sites), _begin(days.first, period)
        is_in = (cohort >= wanted.first) & (cohort <= min(wanted.last, wanted.newest))
        groups, group = _numbered(np.where(is_in, cohort * sites + days.site_of, NOWHERE))
        cohorts, site = np.divmod(groups, max(sites, 1))
        width = min(most, (wanted.newest - cohorts.min(initial=wanted.newest)) // period) + 1
        retained, ends = np.zeros((2, len(groups), width), np.int64)
        latest = np.full(len(group), -1, np.int64)
        for day, who in days.between(wanted.first, NEVER):
            ours = who[is_in[who]]
            n = (_begin(day, period) - cohort[ours]) // period
            is_new = n != latest[ours]
            ours, n = ours[is_new], n[is_new]
            latest[ours] = n
            is_near = n < width
            _add(retained, (group[ours[is_near]], n[is_near]))
        _add(ends, (group[is_in], np.minimum(latest[is_in], width - 1)))
        later = ends[:, ::-1].cumsum(axis=1)[:, ::-1]
        starts = cohorts[:, None] + period * np.arange(width)
        at, n = np.nonzero(starts <= wanted.newest)
        counts = {"cohort_size": later[at, 0], "retained": retained[at, n], "retained_since": later[at, n]}
        has_lived = starts[at, n] + period - 1 <= wanted.newest
        return _rows(
            {"cohort": _dates(cohorts[at]), "site": _sites(days, site[at]), "n": n}
            | {name: _where(has_lived, values) for name, values in counts.items()}
        )

    return counted


def lifecycle(days: VisitorDays, wanted: DayRange) -> "pa.Table":
    """A row a week and site: who is active, new, returned, resurrected, and who of the week before is missing."""
    oldest, newest = (days.days[0], days.days[-1]) if days.days else (0, 0)
    before = _begin(max(wanted.first + _WEEK - 1, oldest), _WEEK) - _WEEK
    weeks, sites = max((_begin(min(wanted.last, newest + _WEEK), _WEEK) - before) // _WEEK, 0) + 1, len(days.sites)
    active, new, returned = np.zeros((3, weeks, sites), np.int64)
    first_week, last_week = _begin(days.first, _WEEK), np.full(len(days.site_of), NEVER, np.int64)
    for day, who in days.between(before, before + weeks * _WEEK - 1):
        monday = _begin(day, _WEEK)
        week, ours = (monday - before) // _WEEK, who[last_week[who] != monday]
        for counts, is_one in (
            (active, np.ones(len(ours), bool)),
            (new, first_week[ours] == monday),
            (returned, last_week[ours] == monday - _WEEK),
        ):
            counts[week] += np.bincount(days.site_of[ours[is_one]], minlength=sites)
        last_week[ours] = monday
    mondays = before + _WEEK * np.arange(weeks)
    is_over = mondays + _WEEK - 1 <= wanted.newest
    dormant = np.zeros_like(active)
    dormant[1:] = active[:-1] - returned[1:]
    has_row = (active > 0) | (is_over[:, None] & (dormant > 0))
    has_row[0] = False
    week, site = np.nonzero(has_row)
    came, fresh, again = (counts[week, site] for counts in (active, new, returned))
    return _rows(
        {"date": _dates(mondays[week]), "site": _sites(days, site), "active": came, "new": fresh, "returned": again}
        | {"resurrected": came - fresh - again, "dormant": _where(is_over[week], dormant[week, site])}
    )


def frequency(days: VisitorDays, wanted: DayRange) -> "pa.Table":
    """A row a site and number of days: visitors who were active on so many of the last active_days days."""
    last = min(wanted.last, wanted.newest)
    times = np.zeros(len(days.site_of), np.int64)
    for _, who in days.between(last - wanted.active_days + 1, last):
        times[who] += 1
    counts = np.zeros((len(days.sites), wanted.active_days + 1), np.int64)
    _add(counts, (days.site_of, times))
    site, of_days = np.nonzero(counts[:, 1:])
    return _rows({"days": of_days + 1, "site": _sites(days, site), "visitors": counts[site, of_days + 1]})


def _begin(day: Any, period: int) -> Any:
    """The first day of the period that a day lies in: itself, or the Monday."""
    return day if period == 1 else day - (day - _MONDAY) % period


def _numbered(keys: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The keys that there are, in order, and of each key its place among them; that of NOWHERE means nothing."""
    there = keys[keys != NOWHERE]
    low = there.min() if len(there) else 0
    is_there = np.zeros((there.max() if len(there) else 0) - low + 1, bool)
    is_there[there - low] = True
    place = is_there.cumsum() - 1
    return np.flatnonzero(is_there) + low, place[np.where(keys == NOWHERE, 0, keys - low)]


def _add(counts: NDArray[np.int64], places: tuple[NDArray[Any], ...], amount: int = 1) -> None:
    """At each of the places, once for each time that it is named."""
    at, group = places
    np.add.at(counts.reshape(-1), at * counts.shape[1] + group, amount)


def _where(is_there: NDArray[np.bool_], values: NDArray[Any]) -> "pa.Array":
    import pyarrow as pa

    return pa.array(values, mask=~is_there)


def _dates(days: NDArray[Any]) -> "pa.Array":
    import pyarrow as pa

    return pa.array(days.astype(np.int32)).cast(pa.date32())


def _sites(days: VisitorDays, places: NDArray[Any]) -> "pa.Array":
    import pyarrow as pa

    return pa.array(days.sites, pa.string()).take(pa.array(places))


def _rows(columns: Mapping[str, Any]) -> "pa.Table":
    import pyarrow as pa

    return pa.table(dict(columns))
