"""Times of history files become milliseconds since 1970-01-01 UTC."""

from contextlib import suppress
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.request.times import AmbiguousTime, has_zone, parser


@pytest.mark.parametrize(
    ("unit", "zone", "written", "milliseconds"),
    [
        ("ms", "UTC", "1506826828020", 1506826828020),
        ("ms", "UTC", 1506826828020.0, 1506826828020),
        ("s", "UTC", "1506826828", 1506826828000),
        ("s", "UTC", "1506826828.0209", 1506826828020),
        ("us", "UTC", "1506826828020999", 1506826828020),
        ("iso8601", "UTC", "2017-10-01T03:00:28.020Z", 1506826828020),
        ("iso8601", "UTC", "2017-10-01T00:00:28.020-03:00", 1506826828020),
        ("iso8601", "America/Sao_Paulo", "2017-10-01 00:00:28.020", 1506826828020),
        ("iso8601", "UTC", "2017-10-01", 1506816000000),
        ("%d/%m/%Y %H:%M:%S", "UTC", "01/10/2017 03:00:28", 1506826828000),
        ("auto", "UTC", 1506826828, 1506826828000),
        ("auto", "UTC", "1506826828020", 1506826828020),
        ("auto", "UTC", 1506826828020999, 1506826828020),
        ("auto", "UTC", "2017-10-01T03:00:28.020Z", 1506826828020),
        ("s", "UTC", "-1", -1000),
        ("ns", "UTC", "1506826828020999000", 1506826828020),
        ("auto", "UTC", "1506826828020999000", 1506826828020),
        ("auto", "UTC", 1506826828020999000, 1506826828020),
        ("auto", "UTC", "2017-10-01 03:00:28 UTC", 1506826828000),
        ("iso8601", "UTC", "2017-10-01 05:00:28 +0200 CEST", 1506826828000),
        ("auto", "UTC", "2017-10-01 03:00:28.020999 +0000 UTC", 1506826828020),
        ("auto", "UTC", "2017-10-01T03:00:28z", 1506826828000),
        ("auto", "UTC", "2017-10-01T05:00:28+02:00[Europe/Vienna]", 1506826828000),
        ("auto", "UTC", "Sun, 01 Oct 2017 03:00:28 GMT", 1506826828000),
        ("auto", "UTC", "Sun Oct 01 2017 05:00:28 GMT+0200 (Central European Summer Time)", 1506826828000),
        ("auto", "America/Sao_Paulo", "Sun Oct  1 00:00:28 2017", 1506826828000),
        ("auto", "UTC", "/Date(1506826828020)/", 1506826828020),
        ("auto", "UTC", "2016-12-31T23:59:60Z", 1483228800000),
        ("auto", "UTC", "Sat, 31 Dec 2016 23:59:60 GMT", 1483228800000),
        ("auto", "UTC", "20171001030028", 1506826828000),
        ("auto", "UTC", 20171001030028, 1506826828000),
        ("auto", "America/Sao_Paulo", "20171001000028020", 1506826828020),
        ("auto", "UTC", "20171001T030028Z", 1506826828000),
        ("auto", "UTC", 636_424_236_280_200_000, 1506826828020),
        ("auto", "UTC", "2017-10-01 03:00:28.0209 +0000 UTC m=+0.000123", 1506826828020),
        ("auto", "UTC", "2017-10-01 03:00:28.020+00", 1506826828020),
        ("auto", "UTC", "2017-10-01T03:00:28,020Z", 1506826828020),
        ("ms", "UTC", "20171001030028", 20171001030028),
        ("ms", "UTC", datetime(2017, 10, 1, tzinfo=UTC), 1506816000000),
        ("iso8601", "UTC", date(2017, 10, 1), 1506816000000),
    ],
)
def test_a_time_is_read(unit: str, zone: str, written: Any, milliseconds: int) -> None:
    assert parser(unit, zone)(written) == milliseconds


@pytest.mark.parametrize(
    ("unit", "written"),
    [("ms", "soon"), ("s", "nan"), ("s", "inf"), ("s", True), ("iso8601", "1506826828"), ("auto", "soon"), ("auto", "nan"),
     ("auto", "1e999900"), ("s", "1e400000"), ("ms", "-1e9999999"), ("us", "1e99999"), ("auto", "0e999999"), ("s", "1e-999999"),
     ("auto", 10**400), ("ms", "9" * 5000), ("s", "1" * 65), ("auto", 1e308), ("%Y", "12 May"), ("ms", [1]), ("iso8601", "2017-13-01"),
     ("auto", "Sun, 01 Oct 2017 03:00:28 CET"), ("auto", "10/01/2017"), ("auto", "2017-10-01T03:00[Europe/Vienna]"), ("auto", True),
     ("auto", "Sun, 01 Oct 2017 03:00 PM"), ("auto", "2" * 5000)],
)  # fmt: skip
def test_what_is_no_such_time_raises(unit: str, written: Any) -> None:
    with pytest.raises((ValueError, TypeError, OverflowError)):
        parser(unit)(written)


@pytest.mark.parametrize("written", ["20171001", 20171001])
def test_eight_digits_are_refused_in_words(written: Any) -> None:
    with pytest.raises(AmbiguousTime, match="a date, or seconds of 1970: write 2026-11-28"):
        parser("auto")(written)
    assert parser("s")(written) == 20171001000


def test_a_text_may_name_no_zone() -> None:
    texts: tuple[Any, ...] = (1, "1506826828", "2017-10-01T03:00:28z", "2017-10-01T03:00:28", "2017-10-01")
    zoned = [has_zone(text) for text in texts]
    assert zoned == [True, True, True, False, False]


@given(
    st.sampled_from(("s", "ms", "us", "auto")),
    st.from_regex(r"[+-]?[0-9]{0,5}(\.[0-9]{0,5})?e[+-]?[0-9]{3,12}", fullmatch=True),
)
def test_an_absurd_exponent_costs_no_arithmetic(unit: str, written: str) -> None:
    """Each is answered at once: one that were computed would take longer than Hypothesis waits for an example."""
    with suppress(ValueError, TypeError, OverflowError):
        assert abs(parser(unit)(written)) < 10**21
