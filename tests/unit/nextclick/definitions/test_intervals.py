"""Wilson's interval, in Python and in SQL, against a library's."""

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from nextclick.definitions.intervals import wilson, wilson_sql


@given(n=st.integers(1, 10**6), share=st.floats(0, 1))
def test_the_interval_of_a_share_is_that_of_a_library(n: int, share: float) -> None:
    hits = round(share * n)
    expected = binomtest(hits, n).proportion_ci(method="wilson")
    assert wilson(hits, n) == pytest.approx((expected.low, expected.high), abs=1e-7)


def test_sql_gives_the_same_and_nothing_of_nothing() -> None:
    pairs = [(0, 1), (1, 1), (1, 2), (3, 1_000_000), (999_999, 1_000_000), (0, 7), (7, 7), (0, 0)]
    low, high = wilson_sql("sum(hits)", "sum(n)")
    query = f"SELECT hits, n, {low}, {high} FROM (VALUES {str(pairs)[1:-1]}) t(hits, n) GROUP BY hits, n"
    intervals = {(hits, n): interval for hits, n, *interval in duckdb.execute(query).fetchall()}
    assert intervals.pop((0, 0)) == [None, None]
    assert intervals == {pair: pytest.approx(wilson(*pair), abs=1e-9) for pair in pairs if pair[1]}
