"""95 % intervals, for Python and for SQL: Wilson's of a share (E. B. Wilson, Probable inference, JASA 22, 1927), and of two shares'
difference the one that Newcombe makes of it (R. G. Newcombe, Interval estimation for the difference between independent proportions,
Statistics in Medicine 17, 1998, method 10)."""

import math
from typing import Final

_Z: Final = 1.959964
"""95 % of a normal distribution lie within so many standard deviations."""


def wilson(hits: int, n: int) -> tuple[float, float]:
    """The interval of a share of `hits` among `n` (at least 1) draws.

    >>> [round(end, 3) for end in wilson(1, 10)], [round(end, 3) for end in wilson(0, 10)]
    ([0.018, 0.404], [0.0, 0.278])
    """
    share, spread = hits / n, _Z * _Z / n
    middle, half = share + spread / 2, _Z * math.sqrt(share * (1 - share) / n + spread / (4 * n))
    ends = (middle - half) / (1 + spread), (middle + half) / (1 + spread)
    return ends[0] if hits else 0.0, ends[1] if hits < n else 1.0


def wilson_sql(hits: str, n: str) -> tuple[str, str]:
    """SQL of the same ends, of SQL of two counts; null where `n` is 0."""
    share, spread = f"({hits} * 1.0 / nullif({n}, 0))", f"({_Z * _Z!r} / nullif({n}, 0))"
    middle = f"{share} + {spread} / 2"
    half = f"{_Z!r} * sqrt({share} * (1 - {share}) + {spread} / 4) * sqrt(1.0 / nullif({n}, 0))"
    low, high = (f"({middle} {sign} {half}) / (1 + {spread})" for sign in "-+")
    none, all_ = (f"CASE WHEN {n} > 0 AND {hits} = {edge} THEN" for edge in ("0", n))
    return f"{none} 0 ELSE {low} END", f"{all_} 1 ELSE {high} END"


def difference_sql(one: tuple[str, str], other: tuple[str, str]) -> tuple[str, str]:
    """SQL of the ends for the share of `one` (SQL of hits, of n) less that of `other`; null where one of them has no n."""
    (low, high), (other_low, other_high) = wilson_sql(*one), wilson_sql(*other)
    share, other_share = (f"({hits} * 1.0 / nullif({n}, 0))" for hits, n in (one, other))
    down = f"sqrt(power({share} - ({low}), 2) + power(({other_high}) - {other_share}, 2))"
    up = f"sqrt(power(({high}) - {share}, 2) + power({other_share} - ({other_low}), 2))"
    return f"{share} - {other_share} - {down}", f"{share} - {other_share} + {up}"
