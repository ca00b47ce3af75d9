"""Wilson's 95 % interval of a share (E. B. Wilson, Probable inference, JASA 22, 1927), for Python and for SQL."""

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
