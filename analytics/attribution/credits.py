"""Conversions and their paths as Arrow → credits by a rule, summed to rows of gold.

A line is what one conversion earned in one currency. The conversion itself counts in its only line; where it earned in several
currencies, or in none, in a line without one. Each line is split over the path's touches by nextclick/definitions/attribution.py.
"""

from collections.abc import Iterable, Mapping
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from nextclick.contracts.silver import AMOUNT
from nextclick.definitions.attribution import Numbers, Paths, split, weights

UNITS: Final = 10_000
"""Units of one: credits are counted in 0.0001, which a column of type AMOUNT holds exactly."""
LINES: Final = f"""
SELECT date, site, goal, "at", line.currency, line.units, line.whole, CASE WHEN len(path) > 0 THEN path ELSE [{{
    'at': "at", 'channel': 'direct', 'source': '(direct)', 'medium': '(none)', 'campaign': '(none)', 'session_id': session_id}}] END AS path
FROM (
    SELECT *, unnest(CASE len(paid) WHEN 1 THEN [struct_pack(currency := paid[1].key, units := paid[1].value, whole := true)]
        ELSE list_prepend(struct_pack(currency := '', units := 0::{AMOUNT}, whole := true), list_transform(
            paid, lambda one: struct_pack(currency := one.key, units := one.value, whole := false))) END) AS line
    FROM (SELECT *, map_entries(revenue) AS paid FROM conversions)
)
"""
"""SQL over rows of gold.conversions as `conversions`; who has no touch counts as a direct visit."""
_OF_LINE: Final = ("date", "site", "goal", "currency")
_OF_TOUCH: Final = ("channel", "source", "medium", "campaign")
_BITS: Final = 64
_WORD: Final = (1 << _BITS) - 1


class Lines:
    """Lines with their paths, grouped once for all rules."""

    def __init__(self, lines: pa.Table) -> None:
        """`lines`: rows of LINES."""
        path = lines["path"].combine_chunks()
        size = pc.list_value_length(path).to_numpy()
        touches = pa.Table.from_struct_array(pc.list_flatten(path))
        line = np.repeat(np.arange(len(size)), size)
        channel = touches["channel"].combine_chunks().dictionary_encode()
        days = (_microseconds(lines["at"])[line] - _microseconds(touches["at"])) / 86_400e6
        self.paths = Paths(size, channel.indices.to_numpy(), days, tuple(channel.dictionary.to_pylist()))
        self.units = _units(lines["units"].combine_chunks())
        self.whole = lines["whole"].to_numpy() * np.int64(UNITS)
        columns = {name: lines[name].take(pa.array(line)) for name in _OF_LINE} | {
            name: touches[name] for name in _OF_TOUCH
        }
        self.group, first = _groups(columns.values())
        self.keys = pa.table(columns).take(first)

    def credits(self, rule: str, half_life_days: float = 1.0, effects: Mapping[str, float] | None = None) -> pa.Table:
        """Rows of gold.attribution_daily by one rule."""
        weight = weights(rule, self.paths, half_life_days, effects)
        sums = {}
        for name, units in (("conversions", self.whole), ("revenue", self.units)):
            parts = split(units, weight, self.paths.size)
            sums[name] = np.zeros(len(self.keys), parts.dtype)
            np.add.at(sums[name], self.group, parts)
        credited = np.unique(self.group[weight > 0])
        rows = self.keys.take(credited).append_column("rule", pa.repeat(rule, len(credited)))
        for name, numbers in sums.items():
            rows = rows.append_column(name, _amounts(numbers[credited]))
        return rows


def _microseconds(times: pa.ChunkedArray) -> Numbers:
    numbers: Numbers = times.cast(pa.timestamp("us", "UTC")).cast(pa.int64()).to_numpy()
    return numbers


def _groups(columns: Iterable[pa.ChunkedArray]) -> tuple[Numbers, Numbers]:
    """A number for each distinct row, from 0, and where each of them stands first."""
    code, size = np.zeros(1, np.int64), 1
    for column in columns:
        encoded = column.combine_chunks().dictionary_encode()
        if size * len(encoded.dictionary) >= 1 << 62:
            code = np.unique(code, return_inverse=True)[1]
            size = int(code.max()) + 1
        code, size = code * len(encoded.dictionary) + encoded.indices.to_numpy(), size * len(encoded.dictionary)
    _, first, group = np.unique(code, return_index=True, return_inverse=True)
    return group, first


def _units(amounts: pa.Array) -> Numbers:
    """Money as whole units: 64 bits each where that is enough, else Python's integers."""
    words = np.frombuffer(amounts.buffers()[1], np.int64).reshape(-1, 2)[amounts.offset :][: len(amounts)]
    low, high = words.T
    if (high == low >> 63).all():
        small: Numbers = low.copy()
        return small
    return np.array([(int(above) << _BITS) + (int(below) & _WORD) for below, above in words], object)


def _amounts(units: Numbers) -> pa.Array:
    if units.dtype == object:
        words = np.array([(unit & _WORD, unit >> _BITS & _WORD) for unit in units.tolist()], np.uint64).reshape(-1, 2)
    else:
        words = np.stack([units, units >> 63], axis=1)
    return pa.Array.from_buffers(pa.decimal128(38, 4), len(units), [None, pa.py_buffer(words.tobytes())])
