"""What is counted of a site by steps of time: series as ml/anomalies/traffic.py judges them."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from ml.anomalies import traffic
from ml.anomalies.traffic import Floats, Levels
from ml.anomalies.window import HOUR, Span

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

QUARTER: Final = timedelta(minutes=15)
DAY: Final = timedelta(days=1)
BUSY: Final = 50
"""Counts a quarter of an hour, on average, from which on the steps are quarters; else hours."""
SHARE_OF_BOTS: Final = "share_of_bots"
EVERY_SITE: Final = "(all)"
"""Stands for the site of rejects: most of them name none."""
_EVENTS, _BOTS = "events", "bots"

_QUARTER: Final = "epoch_us({}) // 900_000_000"
_COUNTED: Final = f"""
SELECT site, series, quarter, sum(amount), sum(amount * amount)
FROM (
    SELECT site, series, quarter, sum(amount)::DOUBLE AS amount
    FROM (
        SELECT site, visitor_id, {_QUARTER.format("occurred_at")} AS quarter, unnest([
            struct_pack(series := CASE WHEN is_bot THEN '{_BOTS}' ELSE '{_EVENTS}' END, amount := 1.0::DOUBLE),
            struct_pack(series := 'purchases', amount := (event = 'purchase' AND NOT is_bot)::DOUBLE),
            struct_pack(
                series := trim('revenue ' || coalesce(currency, '')),
                amount := CASE WHEN event = 'purchase' AND NOT is_bot THEN (price * quantity)::DOUBLE END
            )
        ], recursive := true)
        FROM acts
    )
    WHERE amount > 0 GROUP BY site, visitor_id, series, quarter
    UNION ALL SELECT site, 'sessions', {_QUARTER.format("started_at")}, 1.0 FROM visits
    UNION ALL SELECT '{EVERY_SITE}', 'rejects', {_QUARTER.format("received_at")}, 1.0 FROM rejected
)
GROUP BY ALL
"""
"""What one visitor does within a quarter of an hour comes together: it is one amount of its size."""


class Series(NamedTuple):
    """One series of a site; its steps are whole."""

    site: str
    name: str
    start: datetime
    step: timedelta
    values: Floats
    """What was counted in each step; of a share, the part."""
    unit: float = 1.0
    """The mean size of its amounts, weighted by size: a sum of them is as uncertain as a count of sum / unit."""
    whole: Floats | None = None
    """Of a share: what it is a part of."""

    @property
    def period(self) -> int:
        return DAY // self.step

    @property
    def levels(self) -> Levels:
        if self.whole is None:
            return traffic.counts(self.values, self.unit)
        return traffic.shares(self.values / self.unit, self.whole / self.unit)

    def observed(self, first: int, end: int) -> float:
        """The sum of these steps, or the share in them."""
        part = float(self.values[first:end].sum())
        return part if self.whole is None else part / max(float(self.whole[first:end].sum()), 1.0)

    def expected(self, levels: Floats, first: int, end: int) -> float:
        """What was expected of these steps, of which `levels` says it on the scale of judgement."""
        known = [level for level in levels[first:end].tolist() if np.isfinite(level)]
        if self.whole is None:
            return float(self.unit * np.expm1(np.clip(known, 0.0, 700.0)).sum())
        return float(np.mean([traffic.share(level) for level in known])) if known else 0.0


class _Counted(NamedTuple):
    sums: Floats
    unit: float


def all_series(database: "DuckDBPyConnection", spans: Mapping[str, Span]) -> Iterator[Series]:
    """The series of each site over its span, by the views of ml/anomalies/window.py; of what never happened there is none."""
    if not spans:
        return
    everywhere = Span(min(span.start for span in spans.values()), max(span.until for span in spans.values()))
    rows: dict[str, dict[str, list[tuple[int, float, float]]]] = defaultdict(lambda: defaultdict(list))
    for site, name, *cell in database.execute(_COUNTED).fetchall():
        rows[site][name].append((cell[0], cell[1], cell[2]))
    for site, span in {**spans, EVERY_SITE: everywhere}.items():
        counted = {name: _filled(cells, span) for name, cells in sorted(rows[site].items())}
        bots = counted.pop(_BOTS, None)
        for name, (sums, unit) in counted.items():
            yield _stepped(Series(site, name, span.start, QUARTER, sums, unit))
        if bots:
            events = counted[_EVENTS].sums if _EVENTS in counted else 0.0
            yield _stepped(Series(site, SHARE_OF_BOTS, span.start, QUARTER, bots.sums, bots.unit, bots.sums + events))


def _filled(cells: list[tuple[int, float, float]], span: Span) -> _Counted:
    """A sum for each whole quarter of an hour of the span, 0 where nothing happened."""
    first = int(span.start.timestamp()) // int(QUARTER.total_seconds())
    sums, total, squares = np.zeros((span.until - span.start) // QUARTER), 0.0, 0.0
    for quarter, amount, squared in cells:
        if 0 <= quarter - first < len(sums):
            sums[quarter - first] = amount
            total, squares = total + amount, squares + squared
    return _Counted(sums, squares / total if total else 1.0)


def _stepped(series: Series) -> Series:
    """By quarters of an hour where there is enough in each, else by hours."""
    if not len(series.values) or series.values.mean() / series.unit >= BUSY:
        return series
    hours = len(series.values) // 4

    def summed(values: Floats) -> Floats:
        summed: Floats = values[: 4 * hours].reshape(hours, 4).sum(axis=1)
        return summed

    whole = None if series.whole is None else summed(series.whole)
    return series._replace(step=HOUR, values=summed(series.values), whole=whole)
