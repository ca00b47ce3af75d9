"""A row of a history file → the payload of one landing line."""

import math
from collections.abc import Callable
from datetime import date
from typing import Any, Final, NamedTuple

import msgspec

from collector.imports.mapping import EVENT_FIELDS, Mapping, Rule
from collector.imports.times import parser
from nextclick.events import Event, derived_id, encode, payload_id

Row = dict[str, Any]
"""Column → value as the file has it; None and "" mean that there is none."""

_OWN: Final = ("event", "event_id", "client_time", "site", "properties")
"""Fields that every event needs, or that are not one column's value: made one by one."""
_TIMES: Final = ("occurred_at", "sent_at")
_LARGEST_TIME: Final = 1 << 53  # what JSON readers hold exactly


class Unmappable(Exception):
    """A row that cannot become an event: a stable reason code, and what was wrong with which column."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class _Field(NamedTuple):
    name: str
    columns: tuple[str, ...]
    values: dict[str, str]
    convert: Callable[[Any], Any]


class RowMapper:
    """Turns the rows of one file into encoded events; a row that cannot be one raises `Unmappable`."""

    def __init__(self, mapping: Mapping, kind: str, site: str, max_bytes: int, file_time: int) -> None:
        self._records = records = mapping.records(kind)
        self._kind, self._site, self._max_bytes, self._file_time = kind, site, max_bytes, file_time
        self._namespace = (mapping.name,) if kind == "events" else (mapping.name, kind)
        self._time = parser(records.time.unit, records.time.zone)
        self._time_columns = _bare(records.time.columns)
        rules = {name: rule for name in EVENT_FIELDS if (rule := records.rule(name))}
        self._constants = {name: rule.value for name, rule in rules.items() if rule.value and name not in _OWN}
        self._fields = [self._field(name, rule) for name, rule in rules.items() if rule.columns and name not in _OWN]
        self._event = self._field("event", records.event)
        self._given_id = self._field("event_id", rules.get("event_id", Rule()))
        self._given_site = self._field("site", rules.get("site", Rule()))
        self._identity = [(column.removesuffix("?"), column.endswith("?")) for column in records.identity]
        self._kept = [column for column in records.properties if not column.endswith("*")]
        self._nested = [column[:-1] for column in records.properties if column.endswith("*")]

    def __call__(self, row: Row) -> bytes:
        """The event as JSON, at most `max_bytes` long."""
        client_time = self._client_time(row)
        values = self._values(row)
        if self._kind == "events" and not ("visitor_id" in values or "user_id" in values):
            raise Unmappable("missing_visitor", "neither visitor_id nor user_id has a value")
        event = Event(
            event=self._kind_of(row),
            event_id=self._event_id(row),
            client_time=client_time,
            site=_first(row, self._given_site) or self._site,
            properties=self._properties(row),
            **values,
        )
        return self._encoded(event if event.event_id else msgspec.structs.replace(event, event_id=payload_id(event)))

    def _field(self, name: str, rule: Rule) -> _Field:
        convert = self._time if name in _TIMES else _CONVERTERS.get(str(EVENT_FIELDS[name].type), text)
        return _Field(name, _bare(rule.columns), rule.values, convert)

    def _client_time(self, row: Row) -> int:
        value = _find(row, self._time_columns)
        if value is None:
            if self._kind == "items":
                return self._file_time
            raise Unmappable("missing_time", f"column {' or '.join(self._time_columns)} is empty")
        try:
            time = self._time(value)
        except (ValueError, TypeError, OverflowError):
            time = _LARGEST_TIME
        if abs(time) < _LARGEST_TIME:
            return time
        raise Unmappable(
            "bad_time", f"column {' or '.join(self._time_columns)} is {_short(value)}, no time as {self._records.time.unit}"
        )

    def _kind_of(self, row: Row) -> str:
        kind = self._records.event.value or _first(row, self._event)
        if kind is None:
            raise Unmappable("missing_event", f"column {' or '.join(self._event.columns)} is empty: no kind of event")
        return kind

    def _event_id(self, row: Row) -> str:
        """The given id, else one derived from the identity columns, else "": to be derived from the payload."""
        if not self._identity:
            return _first(row, self._given_id) or ""
        parts = []
        for column, optional in self._identity:
            value = row.get(column)
            if value is None or value == "":
                if not optional:
                    raise Unmappable("missing_identity", f"column {column} is empty, and it identifies the event")
                value = ""
            parts.append(value if type(value) is str else text(value))
        return derived_id(*self._namespace, *parts)

    def _values(self, row: Row) -> Row:
        values: Row = dict(self._constants)
        if self._records.pairs:
            row = self._one_attribute(row)
        for name, columns, translate, convert in self._fields:
            for column in columns:
                value = row.get(column)
                if value is not None and value != "":
                    break
            else:
                continue
            try:
                value = convert(value)
            except (ValueError, TypeError, OverflowError):
                raise Unmappable("bad_type", f"column {column} is {_short(value)}, which {name} cannot be") from None
            values[name] = translate.get(value, value) if translate else value
        return values

    def _properties(self, row: Row) -> dict[str, str] | None:
        kept = {column: value if type(value) is str else text(value) for column in self._kept
                if (value := row.get(column)) is not None and value != ""}  # fmt: skip
        if self._nested:
            kept = {**self._others(row), **kept}
        return kept or None

    def _others(self, row: Row) -> dict[str, str]:
        """What no field took, under the first wildcard that fits; of two equal names the earlier wildcard's wins."""
        if self._records.pairs:
            row = self._one_attribute(row)
        rules = [self._time_columns, *(field.columns for field in (*self._fields, self._event, self._given_id, self._given_site))]
        taken = {next((column for column in columns if _find(row, (column,)) is not None), "") for columns in rules}
        others: dict[str, str] = {}
        for prefix in self._nested:
            for column in [column for column in row if column.startswith(prefix) and column not in taken]:
                taken.add(column)
                if (value := row[column]) is not None and value != "":
                    others.setdefault(column[len(prefix) :], text(value))
        return others

    def _one_attribute(self, row: Row) -> Row:
        """A row that holds one attribute, with the attribute as a column of its own."""
        pairs = self._records.pairs
        assert pairs
        rest = {column: value for column, value in row.items() if column not in (pairs.name, pairs.value)}
        return {**rest, text(row[pairs.name]): row[pairs.value]} if row.get(pairs.name) else rest

    def _encoded(self, event: Event) -> bytes:
        try:
            payload = encode(event)
        except UnicodeEncodeError as error:
            raise Unmappable("undecodable", f"the text {_short(error.object)} is not in the file's encoding") from None
        if len(payload) > self._max_bytes:
            raise Unmappable(
                "too_large", f"the event has {len(payload):,} bytes, above landing.max_event_bytes = {self._max_bytes:,}"
            )
        return payload


def text(value: Any) -> str:
    """A value of JSON or Parquet as the text that a CSV file would have."""
    if type(value) is str:
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    return encode(value).decode() if isinstance(value, (list, dict)) else str(value)


def _whole(value: Any) -> int:
    number = value if type(value) is int else int(text(value))
    if abs(number) >= 1 << 63:
        raise OverflowError(value)
    return number


def _finite(value: Any) -> float:
    number = float(text(value))
    if not math.isfinite(number):
        raise ValueError(value)
    return number


_CONVERTERS: Final[dict[str, Callable[[Any], Any]]] = {"int | None": _whole, "float | None": _finite}


def _find(row: Row, columns: tuple[str, ...]) -> Any:
    for column in columns:
        value = row.get(column)
        if value is not None and value != "":
            return value
    return None


def _first(row: Row, field: _Field) -> str | None:
    value = _find(row, field.columns)
    return None if value is None else field.values.get(value := text(value), value)


def _bare(columns: list[str]) -> tuple[str, ...]:
    return tuple(column.removesuffix("?") for column in columns)


def _short(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else f"{shown[:60]}…"
