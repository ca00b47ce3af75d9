"""Numbers and money, as people and programs write them."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.request.numbers import currency, money, whole


@pytest.mark.parametrize(
    ("written", "amount", "beside"),
    [
        ("19.99", "19.99", None),
        (19.99, "19.99", None),
        (1e-7, "0.0000001", None),
        ("12.5e1", "125", None),
        ("1,299.00", "1299.00", None),
        ("1.299,00", "1299.00", None),
        ("1,299,000", "1299000", None),
        ("1.299.000", "1299000", None),
        ("12,34,567.50", "1234567.50", None),
        ("1 299,00", "1299.00", None),
        ("1'299.00", "1299.00", None),
        ("$19.99", "19.99", None),
        ("-$5", "-5", None),
        ("US$ 4", "4", "USD"),
        ("12.50 EUR", "12.50", "EUR"),
        ("1.299,00 €", "1299.00", "EUR"),
        ("12.50 Euro (€)", "12.50", "EUR"),
        ("1 299,00 kr", "1299.00", None),
        ("299,- kr.", "299", None),
        ("CHF 1'299.-", "1299", "CHF"),
        ("€ 299,--", "299", "EUR"),
        ("Rs. 1,29,900.00", "129900.00", None),
        ("12.50&nbsp;&euro;", "12.50", "EUR"),
        ("1.299,-", "1299", None),
        ("1,299.-", "1299", None),
        ("12.50 zł", "12.50", "PLN"),
        ("1 299,00 Kč", "1299.00", "CZK"),
        ("KWD 1.299", "1.299", "KWD"),
        ("0.125 USD", "0.125", "USD"),
        ("1.299", "1.299", None),
    ],
)
def test_money_is_read_where_it_can_mean_one_thing(written: Any, amount: str, beside: str | None) -> None:
    assert money(written) == (amount, beside)


@pytest.mark.parametrize(
    "written",
    ["12,50", "1,299", "0,99", "Free", "n/a", "", "5 pcs", "1,2,3", "1_000", "NaN", "Infinity", float("nan"), float("inf"), True, False,
     [], {}, "1e999999", "1e15", "9" * 15, "9" * 5000, 10**400, "1,299.00,5", "1 €/m", "5-", "5,-5", "5-,", "x.5", "Rs.", None,
     "1.299 €", "$1.299", "Rp 10.000", "CHF 1.299"],
)  # fmt: skip
def test_money_that_cannot_be_read_or_may_mean_two_things_raises(written: Any) -> None:
    with pytest.raises((ValueError, OverflowError)):
        money(written)


def test_who_knows_the_decimal_sign_says_it() -> None:
    commas = [money(written, decimal=",").amount for written in ("12,50", "1.299,00", "1.299", "1 299,5 €", "7", 12.5)]
    assert commas == ["12.50", "1299.00", "1299", "1299.5", "7", "12.5"]
    assert money("1,299", decimal=".").amount == "1299"
    for written, decimal in (("12.50", ","), ("1,299.00", ","), ("12,50", "."), ("1.299,00", ".")):
        with pytest.raises(ValueError, match="is no amount of money"):
            money(written, decimal)


@pytest.mark.parametrize(
    ("written", "code"),
    [("EUR", "EUR"), ("eur", "EUR"), (" Eur ", "EUR"), ("€", "EUR"), ("Euro (€)", "EUR"), ("us dollar", "USD"), ("HRK", "HRK"),
     ("978", "EUR"), ("036", "AUD")],
)  # fmt: skip
def test_a_currency_is_its_code(written: str, code: str) -> None:
    assert currency(written) == code


@pytest.mark.parametrize("written", ["$", "£", "kr", "XXX", "EUR USD", "points", "", 5, None, "E" * 5000])
def test_what_is_no_currency_or_many_raises(written: Any) -> None:
    with pytest.raises(ValueError, match="is no currency"):
        currency(written)


def test_a_whole_number_is_whole() -> None:
    assert [whole(written) for written in (2, "2", 2.0, "2.0", "1e3", -1)] == [2, 2, 2, 2, 1000, -1]
    wrong: tuple[Any, ...] = (2.5, "2 pcs", "1,000", True, [], "1e30", "1e999999", "NaN")
    for written in wrong:
        with pytest.raises((ValueError, OverflowError)):
            whole(written)


@given(st.text(alphabet="0123456789.,' €$EUR-e+", max_size=30) | st.text(max_size=80) | st.floats() | st.integers())
def test_whatever_is_written_is_money_or_a_value_error(written: Any) -> None:
    for decimal in ("", ".", ","):
        try:
            amount = money(written, decimal).amount
        except (ValueError, OverflowError):
            continue
        assert abs(Decimal(amount)) < 10**14
