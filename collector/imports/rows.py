"""A row of a history file → the payload of one landing line."""

import math
from collections.abc import Callable, Iterable, Set
from datetime import date
from typing import Any, Final, NamedTuple

import msgspec

from collector.dialects.shared.readers import consent
from collector.imports.mapping import EVENT_FIELDS, FieldRule, Mapping
from collector.request.errors import Unmappable
from collector.request.times import AmbiguousTime, parser
from nextclick.address import truncated
from nextclick.contracts.events import Consent, Event, derived_id, encode, payload_id, somebody

Row = dict[str, Any]
"""Column → value as the file has it; None and "" mean that there is none."""

_OWN: Final = ("event", "event_id", "client_time", "site", "properties")
"""Fields that every event needs, or that are not one column's value: made one by one."""
_LARGEST_TIME: Final = 1 << 53  # what every reader of JSON holds exactly


class _Field(NamedTuple):
    name: str
    columns: tuple[str, ...]
    values: dict[str, str]
    convert: Callable[[Any], Any]

    @property
    def is_plain(self) -> bool:
        """One column's text as it stands: the hot path."""
        return len(self.columns) == 1 and not self.values and self.convert is text


class RowMapper:
    """Turns the rows of one file into encoded events; a row that cannot be one raises `Unmappable`."""

    def __init__(
        self, mapping: Mapping, kind: str, site: str, max_bytes: int, file_time: int, nobody: Set[str]
    ) -> None:
        self._records, self._nobody = (records := mapping.records(kind)), nobody
        self._kind, self._site, self._max_bytes, self._file_time = kind, site, max_bytes, file_time
        self._namespace = (mapping.name,) if kind == "events" else (mapping.name, kind)
        self._time = parser(records.time.unit, records.time.zone)
        self._time_columns = _bare(records.time.columns)
        self._event = self._field("event", records.event)
        self._given_id = self._field("event_id", records.rule("event_id") or FieldRule())
        self._given_site = self._field("site", records.rule("site") or FieldRule())
        self._identity = _bare(records.identity)
        rules = {name: rule for name in EVENT_FIELDS if name not in _OWN and (rule := records.rule(name))}
        self._constants = {name: rule.value for name, rule in rules.items() if rule.value is not None}
        fields = [self._field(name, rule) for name, rule in rules.items() if rule.columns]
        self._plain = [(field.name, field.columns[0]) for field in fields if field.is_plain]
        self._fields = [field for field in fields if not field.is_plain]
        self._kept = [(column, column) for column in _bare(records.properties) if not column.endswith("*")]
        self._nested = [column[:-1] for column in records.properties if column.endswith("*")]

    def __call__(self, row: Row | Unmappable) -> bytes:
        """The event as JSON, at most `max_bytes` long."""
        if isinstance(row, Unmappable):
            raise row
        identity = self._derived_id(row) if self._identity else _first(row, self._given_id) or ""
        if self._records.pairs:
            row = self._one_attribute(row)
        values = self._values(row)
        event = Event(
            event=self._records.event.value or self._kind_of(row),
            event_id=identity,
            client_time=self._client_time(row),
            site=(_first(row, self._given_site) if self._given_site.columns else None) or self._site,
            properties=self._properties(row),
            **values,
        )
        return payload(event, self._max_bytes)

    def _field(self, name: str, rule: FieldRule) -> _Field:
        converters = {"ip": truncated, "occurred_at": self._time, "sent_at": self._time}
        convert = converters.get(name) or _CONVERTERS.get(EVENT_FIELDS[name].type, text)
        return _Field(name, _bare(rule.columns), rule.values, convert)

    def _derived_id(self, row: Row) -> str:
        parts = [row.get(column) for column in self._identity]
        if None in parts or "" in parts:
            for written, part in zip(self._records.identity, parts, strict=True):
                if part in (None, "") and not written.endswith("?"):
                    raise Unmappable("missing_identity", f"column {written} is empty, and it identifies the event")
            parts = ["" if part is None else part for part in parts]
        return derived_id(*self._namespace, *map(text, parts))

    def _one_attribute(self, row: Row) -> Row:
        """A row that holds one attribute, with the attribute as a column of its own."""
        pairs = self._records.pairs
        assert pairs
        rest = {column: value for column, value in row.items() if column not in (pairs.name, pairs.value)}
        return {**rest, text(row[pairs.name]): row.get(pairs.value)} if row.get(pairs.name) else rest

    def _values(self, row: Row) -> Row:
        values: Row = _texts(row, self._plain)
        for name, columns, translate, convert in self._fields:
            column, value = _find(row, columns)
            if value is None:
                continue
            try:
                converted = convert(value)
            except (ValueError, TypeError, OverflowError):
                raise Unmappable("bad_type", f"column {column} is {_short(value)}, which {name} cannot be") from None
            values[name] = translate.get(converted, converted) if translate else converted
        if self._constants:
            values = {**self._constants, **values}
        if self._kind == "events":
            visitor, user = somebody(values.get("visitor_id"), values.get("user_id"), self._nobody)
            values["visitor_id"], values["user_id"] = visitor, user
            if visitor is None and user is None:
                raise Unmappable("missing_visitor", "neither visitor_id nor user_id has a value")
        elif "item_id" not in values:
            raise Unmappable("missing_item", "item_id has no value")
        return values

    def _kind_of(self, row: Row) -> str:
        kind = _first(row, self._event)
        if kind is None:
            raise Unmappable("missing_event", f"column {' or '.join(self._event.columns)} is empty: no kind of event")
        return kind

    def _client_time(self, row: Row) -> int:
        column, value = _find(row, self._time_columns)
        if value is None:
            if self._kind == "items":
                return self._file_time
            raise Unmappable("missing_time", f"column {' or '.join(self._time_columns)} is empty")
        try:
            time = self._time(value)
        except AmbiguousTime as error:
            raise Unmappable("bad_time", f"column {column} is {_short(value)}: {error}") from None
        except (ValueError, TypeError, OverflowError):
            time = _LARGEST_TIME
        if abs(time) < _LARGEST_TIME:
            return time
        raise Unmappable(
            "bad_time", f"column {column} is {_short(value)}, which is no time as {self._records.time.unit}"
        )

    def _properties(self, row: Row) -> dict[str, str] | None:
        kept = _texts(row, self._kept)
        return ({**self._others(row), **kept} if self._nested else kept) or None

    def _others(self, row: Row) -> dict[str, str]:
        """What no field took, below the first wildcard that fits; of two equal names the earlier wildcard's wins."""
        fields = (field.columns for field in (*self._fields, self._event, self._given_id, self._given_site))
        taken = {_find(row, columns)[0] for columns in (*fields, self._time_columns)} | {
            column for _, column in self._plain
        }
        others: dict[str, str] = {}
        for prefix in self._nested:
            below = [column for column in row if column.startswith(prefix) and column not in taken]
            taken.update(below)
            others = {**_texts(row, ((column[len(prefix) :], column) for column in below)), **others}
        return others


def payload(event: Event, max_bytes: int) -> bytes:
    """The event as a landing line has it, with an id if it had none; Unmappable if it is too large, or its text is none."""
    try:
        encoded = encode(event if event.event_id else msgspec.structs.replace(event, event_id=payload_id(event)))
    except UnicodeEncodeError as error:
        raise Unmappable("undecodable", f"the text {_short(error.object)} is not in the file's encoding") from None
    if len(encoded) > max_bytes:
        raise Unmappable(
            "too_large", f"the event has {len(encoded):,} bytes, above landing.max_event_bytes = {max_bytes:,}"
        )
    return encoded


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


def _texts(row: Row, pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Name → text of the column, for (name, column) pairs whose column has a value."""
    return {
        name: value if type(value) is str else text(value)
        for name, column in pairs
        if (value := row.get(column)) is not None and value != ""
    }


def _find(row: Row, columns: Iterable[str]) -> tuple[str, Any]:
    """The first of the columns that has a value, and the value; ("", None) if none has."""
    for column in columns:
        value = row.get(column)
        if value is not None and value != "":
            return column, value
    return "", None


def _first(row: Row, field: _Field) -> str | None:
    value = _find(row, field.columns)[1]
    return None if value is None else field.values.get(text(value), text(value))


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


def _consent(value: Any) -> Consent | None:
    return consent(msgspec.json.decode(value) if isinstance(value, str) else value)


_CONVERTERS: Final[dict[Any, Callable[[Any], Any]]] = {
    int | None: _whole,
    float | None: _finite,
    Consent | None: _consent,
}


def _bare(columns: Iterable[str]) -> tuple[str, ...]:
    return tuple(column.removesuffix("?") for column in columns)


def _short(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else f"{shown[:60]}…"
