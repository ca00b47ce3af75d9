"""Numbers and money as people and programs write them; one reader for the door, imports and access logs.

What cannot be read without a guess is a ValueError. What a number costs does not depend on its exponent: a
text is bounded before it is computed with, so "1e999999" is refused unread.
"""

import re
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from html import unescape
from typing import Any, Final, NamedTuple

from babel import Locale
from babel.numbers import NumberFormatError, get_currency_precision, get_territory_currencies, parse_decimal
from iso4217 import Currency

LONGEST: Final = 64
"""Characters of a written number that are looked at."""
_MOST_PLACES: Final = 19
"""Decimal places before the point: what a 64-bit number has, and a time in nanoseconds."""
_MOST_MONEY: Final = Decimal("99999999999999.9999")
"""What silver holds of money: decimal(18,4)."""
PLAIN_MONEY: Final = r"[0-9]{1,13}(\.[0-9]{1,40})?"
_PLAIN: Final = re.compile(rf"[+-]?{PLAIN_MONEY}")
_AMOUNT: Final = re.compile(
    r"(?P<sign>[+-]?)(?P<before>(?:[^\d\s.,'+-]{1,8}\.?)?)\s?(?P<number>[+-]?\.?\d[\d.,'\s]*(?:[eE][+-]?\d{1,3})?)\s?(?P<behind>(?:[^\d.,'+-]{1,8}\.?)?)"
)
_SPACE: Final = "\u202f"
_NONE: Final = frozenset(("XXX", "XTS"))
"""What ISO 4217 calls no currency, and a test."""
_CODES: Final = frozenset(currency.code for currency in Currency) - _NONE
_AMBIGUOUS: Final = frozenset((*"$£¥", "kr", "kr.", "rs", "rs.", "fr", "fr."))
"""Signs that stand alone for the money of several countries."""
_THOUSANDS: Final = re.compile(r"[1-9]\d{0,2}\.\d{3}")
"""Beside a currency nobody can tell whether `1.299` is one or more than a thousand, unless it has thousandths."""
_MILLS: Final = 3
_HOMES: Final = ("bg_BG", "cs_CZ", "hu_HU", "id_ID", "ms_MY", "pl_PL", "ro_RO", "ru_RU", "th_TH", "tr_TR", "uk_UA")
"""Where a sign is used that English does not have: `zł`, `Kč`, `Ft`."""
_NO_CENTS: Final = re.compile(r"(?<=\d)[.,][-–—]{1,2}(?!\d)")
"""How German, Swiss and Dutch shops write that there are none: `299,-`."""


def number(value: Any) -> Decimal:
    """A finite number, also in text. ValueError if it is none, or larger than any that is kept."""
    if isinstance(value, bool):
        raise ValueError(f"{value} is no number")
    if isinstance(value, int) and value.bit_length() > LONGEST:
        raise OverflowError("a number of too many digits")
    written = str(value).strip()
    if len(written) > LONGEST or "_" in written:
        raise ValueError("no number, or one of too many characters")
    try:
        read = Decimal(written)
    except InvalidOperation:
        raise ValueError(written) from None
    if not read.is_finite() or not -LONGEST < read.adjusted() < _MOST_PLACES:
        raise OverflowError(written)
    return read


def whole(value: Any) -> int:
    """A whole number: `2`, "2", 2.0, "1e3". ValueError for 2.5, "1,000" (which is 1 or 1000) and whatever is none."""
    if type(value) is str and len(value) < 16 and value.isdecimal():
        return int(value)
    read = number(value)
    if read != read.to_integral_value():
        raise ValueError(f"{value} is no whole number")
    return int(read)


class Money(NamedTuple):
    """An amount as decimal text, and the ISO 4217 code of the currency that stands beside it."""

    amount: str
    currency: str | None = None


def money(value: Any, decimal: str = "") -> Money:
    """An amount of money: 12.5, "1,299.00", "1.299,00 €", "$19.99", "12.5e1".

    `decimal` is the sign before the cents, where the source tells it. Without it a lone comma is a ValueError:
    "12,50" and "1,299" do not say whether it stands before cents or before thousands.
    """
    if type(value) is float and _PLAIN.fullmatch(written := repr(value)):
        return Money(written)
    if not isinstance(value, str):
        value, decimal = str(number(value)), ""  # a number has no sign of a country's
    if decimal != "," and _PLAIN.fullmatch(value):
        return Money(value)
    return _money(value.strip(), decimal) if len(value) <= LONGEST else _no_money(value)


@lru_cache(1 << 12)
def _money(written: str, decimal: str) -> Money:
    plain = unescape(written) if "&" in written else written
    if no_cents := _NO_CENTS.search(plain):
        decimal = no_cents[0][0]
    match = _AMOUNT.fullmatch(_NO_CENTS.sub("", plain).replace("−", "-").replace("’", "'"))
    if match is None or (match["before"] and match["behind"]) or len(match["sign"] + match["number"]) > LONGEST:
        return _no_money(written)
    beside = (match["before"] or match["behind"]).strip()
    code = _code(beside) if beside else None
    if beside and code is None and beside.casefold() not in _AMBIGUOUS:
        return _no_money(written)
    digits = match["number"].strip()
    if beside and not decimal and _THOUSANDS.fullmatch(digits) and get_currency_precision(code or "") != _MILLS:
        return _no_money(written)
    try:
        read = (
            number(digits) if decimal != "," and _is_plain(digits) else _grouped(re.sub(r"\s", _SPACE, digits), decimal)
        )
    except NumberFormatError:
        return _no_money(written)
    read = -read if match["sign"] == "-" else read
    if abs(read) > _MOST_MONEY:
        return _no_money(written)
    return Money(f"{read:f}"[:LONGEST], code)


def _no_money(written: str) -> Money:
    raise ValueError(f"{written[:LONGEST]} is no amount of money")


def _is_plain(digits: str) -> bool:
    return not any(sign in digits for sign in ",' \u00a0\u202f") and digits.count(".") < 2


def _grouped(digits: str, decimal: str) -> Decimal:
    """A number with groups of thousands, or with a decimal comma, read strictly as the one country that writes it so."""
    has_comma, has_point = "," in digits, "." in digits
    if "'" in digits:
        locale = "de_CH" if decimal != "," else ""
    elif _SPACE in digits:
        locale, digits = "fr", digits if has_comma else digits.replace(".", ",")
    elif has_comma and has_point:
        locale = "en" if digits.rfind(".") > digits.rfind(",") else "de"
    elif decimal:
        locale = "de" if decimal == "," else "en"
    else:
        locale = "" if digits.count(",") == 1 else "en" if has_comma else "de"
    if not locale or (decimal and has_comma and has_point and (locale == "de") != (decimal == ",")):
        raise NumberFormatError(digits)
    try:
        return parse_decimal(digits, locale=locale, strict=True)
    except NumberFormatError:
        if locale != "en":
            raise
        return parse_decimal(digits, locale="en_IN", strict=True)


def is_code(written: str) -> bool:
    """Whether this is the code of a currency, as ISO 4217 writes it."""
    return _code(written) == written


def currency(value: Any) -> str:
    """The ISO 4217 code of "eur", "€" or "Euro (€)"; ValueError for no currency, and for "$", which many are."""
    if isinstance(value, str) and len(value) <= LONGEST and (code := _code(value.strip())):
        return code
    raise ValueError(f"{str(value)[:LONGEST]} is no currency")


@lru_cache(1 << 10)
def _code(written: str) -> str | None:
    """The one currency that every word of the text names; None where it names none, or two."""
    parts = [part for part in re.split(r"[\s()\[\]/,;:-]+", written) if part]
    codes = {_names().get(part.casefold()) for part in parts}
    return _names().get(written.casefold()) or (codes.pop() if len(codes) == 1 else None)


@lru_cache(1)
def _names() -> dict[str, str]:
    """Currencies by what Unicode's tables call them in English: code, name, and the sign where it is theirs alone; and by number.

    Codes that ISO 4217 withdrew are among them, since history has them.
    """
    names: dict[str, str] = {}
    for english in (Locale("en"), Locale("en", "001")):
        signs = {english.currency_symbols.get(code, code): code for code in _CODES}
        names |= {name: code for code, name in english.currencies.items() if code not in _NONE}
        names |= {sign: code for sign, code in signs.items() if sign not in _AMBIGUOUS}
        names |= {code: code for code in {*_CODES, *english.currencies} - _NONE}
    for home in map(Locale.parse, _HOMES):
        own = get_territory_currencies(home.territory or "")[0]
        names.setdefault(home.currency_symbols.get(own, own), own)
    names |= {
        f"{currency.number:03}": currency.code for currency in Currency if currency.number and currency.code in _CODES
    }
    return {name.casefold(): code for name, code in names.items()}
