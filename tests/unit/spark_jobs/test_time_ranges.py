"""The conditions by which Delta skips files: never too narrow, never many."""

from hypothesis import given
from hypothesis import strategies as st

from spark_jobs.transforms.time_ranges import HOUR, MAX_RANGES, time_ranges


def test_neighbouring_hours_become_one_range_and_far_ones_stay_apart() -> None:
    assert time_ranges([1, 0, 5], "t") == (
        "(t >= timestamp_seconds(0) AND t < timestamp_seconds(7200)) OR "
        "(t >= timestamp_seconds(18000) AND t < timestamp_seconds(21600))"
    )


def test_no_hours_select_nothing() -> None:
    assert time_ranges([], "t") == "false"


def test_intervals_touch_by_their_ends() -> None:
    assert time_ranges([1], "s", "e", 60) == "(e >= timestamp_seconds(3540) AND s < timestamp_seconds(7260))"


@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=60), st.integers(0, 2 * HOUR))
def test_every_hour_is_within_some_range_and_there_are_few(hours: list[int], margin: int) -> None:
    condition = time_ranges(hours, "t", margin_seconds=margin)
    spans = [
        tuple(int(part.split("timestamp_seconds(")[1].split(")")[0]) for part in term.split(" AND "))
        for term in condition.split(" OR ")
    ]
    assert len(spans) <= MAX_RANGES
    assert all(any(low <= h * HOUR - margin and (h + 1) * HOUR + margin <= high for low, high in spans) for h in hours)
