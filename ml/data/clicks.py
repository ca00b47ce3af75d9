"""What was shown, and what came of it: what the click model and the learned ranker learn from."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ml.data.interactions import TableVersion
from nextclick.contracts import silver_served
from nextclick.ctr import FEATURES
from nextclick.lake import delta, duck
from nextclick.lake.people import human_events
from nextclick.settings import Settings

Floats = NDArray[np.float64]
MOST_WEIGHT = 10.0


@dataclass(frozen=True)
class Clicks:
    """Items that were shown, a row each, in the order in which their answers were served."""

    answer: NDArray[np.int64]
    """Number of the row's answer, from 0, ascending: rows of one answer stand together."""
    position: Floats
    """Place in the answer, from 1."""
    features: Floats
    """[rows × FEATURES], as the ranking knew them when it answered."""
    clicked: Floats
    """1 where it was clicked, else 0."""
    grade: Floats
    """3 where it was bought, else 2 where it was put into the cart, else `clicked`."""
    weight: Floats
    """1 / propensity, at most MOST_WEIGHT: what was drawn rarely stands for what was not shown."""

    def __len__(self) -> int:
        return len(self.answer)

    def cut(self, *shares: float) -> "list[Clicks]":
        """Parts in order of time: up to each of `shares` of the answers, and the rest; no answer is cut in two."""
        first, answers = int(self.answer[0]), int(np.ptp(self.answer)) + 1
        at = [0, *(int(np.searchsorted(self.answer, first + share * answers)) for share in shares), len(self)]
        return [self._rows(slice(*ends)) for ends in pairwise(at)]

    def _rows(self, rows: slice) -> "Clicks":
        return Clicks(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))


def read(settings: Settings) -> tuple[Clicks, TableVersion]:
    """The newest ctr.max_shown rows of silver.served_items that people were shown, of answers that logged all features.

    Left out: bots, what was shown so lately that it may still be clicked, and rows from before the newest of FEATURES was logged.
    """
    lake, name = settings.lake, silver_served.SERVED_ITEMS.name
    table = delta.require(lake, name)
    with duck.connect(lake) as database:
        human_events.show(database, "served_items", settings, name, table, learned=True)
        params = {"site": settings.site, "minutes": settings.attribution.click_minutes, "most": settings.ctr.max_shown}
        rows = database.sql(_SHOWN, params=params).to_arrow_table()
    return _of_rows(rows), TableVersion.of(lake, name, table)


_COLUMNS = ", ".join(f"map_extract(features, '{name}')[1] AS " + f'"{name}"' for name in FEATURES)
_KNOWN = " AND ".join(f'isfinite("{name}")' for name in FEATURES)
_GRADE = "CASE WHEN purchased_at IS NOT NULL THEN 3 WHEN carted_at IS NOT NULL THEN 2 ELSE clicked::INT END"
_SHOWN = f"""
WITH shown AS (
    SELECT request_id, served_at, position, clicked_at IS NOT NULL AS clicked, {_GRADE} AS grade,
        least(1 / coalesce(propensity, 1), {MOST_WEIGHT}) AS weight, {_COLUMNS}
    FROM served_items
    WHERE site = $site AND shown_at <= (SELECT max(shown_at) FROM every_served_items) - to_minutes($minutes)
)
SELECT * FROM shown WHERE {_KNOWN} ORDER BY served_at DESC, request_id, position LIMIT $most
"""


def _of_rows(rows: pa.Table) -> Clicks:
    rows = rows.sort_by([("served_at", "ascending"), ("request_id", "ascending"), ("position", "ascending")])
    names = rows["request_id"].to_numpy(zero_copy_only=False)
    first = np.ones(len(names), np.bool_)
    first[1:] = names[1:] != names[:-1]
    features = [rows[name].to_numpy(zero_copy_only=False).astype(np.float64) for name in FEATURES]
    return Clicks(
        np.cumsum(first) - 1,
        rows["position"].to_numpy().astype(np.float64),
        np.column_stack(features),
        *(rows[name].to_numpy(zero_copy_only=False).astype(np.float64) for name in ("clicked", "grade", "weight")),
    )
