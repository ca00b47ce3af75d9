"""How each field of an event is read from what a tracker sent, and held to its limits (nextclick/contracts, `[events]`).

A value that cannot be read is `Unread`: the event loses that field and nothing else. An id is never cut or
repaired, since another id is another thing; text that describes is cut, with a mark.
"""

import re
from collections.abc import Callable
from types import NoneType
from typing import Any, Final, get_args

import msgspec

from collector.dialects.shared.consents import consent
from collector.request import numbers
from collector.request.model import EventLimits
from nextclick.contracts import silver
from nextclick.contracts.events import IDS, NO_ITEM, Consent, Event, encode, is_id, is_unfilled

Json = dict[str, Any]
CUT: Final = "…"
"""What stands at the end of a text that was too long."""
_INVISIBLE: Final = "\u200b\u200c\u200d\u2060\ufeff"
"""Blanks of no width, and the mark with which files begin: around an id they are no part of it."""
_LARGEST_FLOAT: Final = 1 << 53  # above it a float is not the number that was meant
IANA: Final = re.compile(r"UTC|GMT|[A-Z]{3}(\d[A-Z]{3})?|[A-Z][A-Za-z_]{1,30}(/[A-Za-z0-9_+-]{1,30}){1,2}")


class Unread(msgspec.Struct, frozen=True):
    """What a field came with where that cannot be read; `events.event` keeps it in the properties, under the field's name."""

    value: Any


Reader = Callable[[Any, EventLimits], Any]
"""The value of a field that is neither null nor ""; None where there is none, Unread where it cannot be read."""


def text(value: Any) -> str | None:
    """A scalar as text, a list or object as its JSON; None for null and ""."""
    if value is None or value == "":
        return None
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return encode(value).decode() if isinstance(value, (dict, list)) else str(value)


def identifier(value: Any) -> Any:
    """An id as text without blanks around it; None where there is none, Unread for a bool, a list or object, and control characters.

    A whole number that came as a float is the whole number.

    >>> identifier(42.0), identifier("42.0"), identifier(" a "), identifier(True)
    ('42', '42.0', 'a', Unread(value=True))
    """
    if value is None or value == "" or value == [] or value == {}:
        return None
    if isinstance(value, (bool, dict, list, Unread)):
        return value if isinstance(value, Unread) else Unread(value)
    if isinstance(value, float) and value.is_integer():
        return str(int(value)) if abs(value) < _LARGEST_FLOAT else Unread(value)
    if isinstance(value, int):
        return str(value) if value.bit_length() < numbers.LONGEST * 8 else Unread("a number of too many digits")
    written = str(value).strip()
    if not written.isascii():
        written = written.strip(_INVISIBLE).strip()
    return (written if is_id(written) else Unread(value)) if written else None


def cut(written: str, most: int) -> str:
    """The text without NUL, which no table holds, and at most `most` characters of it."""
    if "\0" in written:
        written = written.replace("\0", "")
    return written if len(written) <= most else written[: most - 1] + CUT


def _id(value: Any, limits: EventLimits) -> Any:
    if type(value) is str and len(value) <= limits.max_id_chars and value.isprintable() and is_id(value):
        return value
    read = identifier(value)
    return Unread(value) if isinstance(read, str) and len(read) > limits.max_id_chars else read


def _person(value: Any, limits: EventLimits) -> Any:
    """A visitor's or a user's id: no placeholder, which all who got it would share."""
    read = _id(value, limits)
    return Unread(value) if isinstance(read, str) and is_unfilled(read) else read


def item_id(value: Any, limits: EventLimits) -> Any:
    """An item's id, as `identifier`: no word for nothing, which would be recommended as one."""
    read = _person(value, limits)
    return Unread(value) if isinstance(read, str) and read.lower() in NO_ITEM else read


def _text(value: Any, limits: EventLimits) -> Any:
    if type(value) is str and len(value) <= limits.max_text_chars and "\0" not in value:
        return value
    if isinstance(value, Unread):
        return value
    written = None if value == [] or value == {} else text(value)
    return cut(written, limits.max_text_chars) or None if written else None


_AMOUNTS: Final = ("amount", "value")
_CURRENCIES: Final = ("currency", "currencyCode", "currency_code")


def _money(value: Any, limits: EventLimits) -> Any:
    """An amount; also an object of one and its currency, as shops' own events have it."""
    if isinstance(value, dict):
        amount = numbers.money(next((value[name] for name in _AMOUNTS if name in value), None))
        beside = next((value[name] for name in _CURRENCIES if name in value), None)
        return numbers.Money(amount.amount, numbers.currency(beside) if beside else amount.currency)
    return numbers.money(value)


def _currency(value: Any, limits: EventLimits) -> Any:
    return numbers.currency(value)


def timezone(value: Any) -> str | None:
    """A time zone by its IANA name (`Europe/Vienna`); None for anything else, such as `+02:00`."""
    return value if isinstance(value, str) and IANA.fullmatch(value) else None


def _timezone(value: Any, limits: EventLimits) -> Any:
    return timezone(value) or Unread(value)


def _address(value: Any, limits: EventLimits) -> Any:
    return value  # `values.address` truncated it: what is none is nowhere kept


def word(name: Any) -> str:
    """A name in small letters, with _ for anything else.

    >>> word("Product List Viewed")
    'product_list_viewed'
    """
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_") if isinstance(name, str) else ""


def _consent(value: Any, limits: EventLimits) -> Any:
    if isinstance(value, Consent) or value in ({}, []):
        return value or None
    return consent(value) or Unread(value)


def _whole(value: Any, limits: EventLimits) -> int:
    return value if type(value) is int else numbers.whole(value)


def _rounded(value: Any, limits: EventLimits) -> int:
    return value if type(value) is int else int(numbers.number(value))


def _number(value: Any, limits: EventLimits) -> float:
    return value if type(value) is float else float(numbers.number(value))


def _percent(value: Any, limits: EventLimits) -> float:
    return _number(value.rstrip("% ") if isinstance(value, str) else value, limits)


_COLUMNS: Final = {column.name: column for column in silver.EVENTS.columns}
_LARGEST: Final = {"int": (1 << 31) - 1, "bigint": (1 << 63) - 1}
MAY_BE_NEGATIVE: Final = ("price", "quantity")
"""Of a purchase, which silver then refuses: without the number it would be another sale."""
_BY_NAME: Final[dict[str, Reader]] = {
    **dict.fromkeys(IDS, _id),
    **dict.fromkeys(("visitor_id", "user_id"), _person),
    "item_id": item_id,
    "price": _money,
    "currency": _currency,
    "timezone": _timezone,
    "ip": _address,
    "dwell_ms": _rounded,
    "scroll_pct": _percent,
}
_BY_TYPE: Final[dict[Any, Reader]] = {str: _text, int: _whole, float: _number, Consent: _consent}
_WORDS: Final = (_text, _id, _person, item_id)
_OWN: Final = ("event", "event_id", "client_time", "occurred_at", "sent_at", "unread_fields", "properties")
"""Fields that `events.event` makes."""


def type_of(field: msgspec.structs.FieldInfo) -> Any:
    """What a field holds where it is not None."""
    [kind] = [part for part in get_args(field.type) if part is not NoneType] or [field.type]
    return kind


def limits_of(name: str) -> tuple[float | None, float | None]:
    """The smallest and the largest number that the field's column takes; None where there is no limit."""
    column = _COLUMNS.get(name)
    return (None, None) if column is None else (column.minimum, column.maximum or _LARGEST.get(column.type))


def readers(kind: type[Event]) -> dict[str, Reader]:
    """How each field of an event is read: by its name, else by its type; numbers within what the contract allows."""
    fields = [field for field in msgspec.structs.fields(kind) if field.name not in _OWN]
    return {field.name: _held(field.name, _BY_NAME.get(field.name) or _BY_TYPE[type_of(field)]) for field in fields}


def _held(name: str, reader: Reader) -> Reader:
    if reader in _WORDS:  # no numbers, and what is Unread they leave so
        return reader
    low, high = limits_of(name)
    low = None if name in MAY_BE_NEGATIVE else low

    def read(value: Any, limits: EventLimits) -> Any:
        if value == [] or value == {}:
            return None
        if isinstance(value, Unread):
            return value
        try:
            held = reader(value, limits)
        except (ValueError, TypeError, OverflowError):
            return Unread(value)
        is_outside = isinstance(held, (int, float)) and not (
            (low is None or held >= low) and (high is None or held <= high)
        )
        return Unread(value) if is_outside else held

    return read
