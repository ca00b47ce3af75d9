"""A row of a history file → the payload of one landing line."""

import time
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, NamedTuple

import msgspec

from collector.dialects.shared import events, values
from collector.dialects.shared.readers import MAY_BE_NEGATIVE, type_of
from collector.imports import plain_rows
from collector.imports.cells import (
    Row,
    as_json,
    bare,
    below,
    column_there,
    find,
    is_excels,
    is_there,
    short,
    text,
    time_of,
    word,
)
from collector.imports.mapping import EVENT_FIELDS, FieldRule, Mapping
from collector.request.errors import Unmappable
from collector.request.model import EventLimits, Request
from collector.request.times import AmbiguousTime, parser
from nextclick.contracts.events import MILLIS, Event, derived_id, encode
from nextclick.redaction import is_secret_field, redacted_event
from nextclick.settings import Settings

_OWN: Final = ("event", "event_id", "client_time", "site", "properties")
"""Fields that every event needs, or that are not one column's value: made one by one."""
_TIMES: Final = ("occurred_at", "sent_at")
_NUMBERS: Final = (*MAY_BE_NEGATIVE, *(name for name, field in EVENT_FIELDS.items() if type_of(field) in (int, float)))
_READ_HERE: Final = frozenset((*_NUMBERS, *_TIMES, "ip", "consent"))
"""Fields whose text a mapping, or a file, writes otherwise than a tracker."""
_auto: Final = parser("auto")
_DAY: Final = 86_400_000
_MOST_PLANS: Final = 256
_LONGEST_PLAN: Final = 8192
"""Characters of all names of columns together."""


class _Field(NamedTuple):
    name: str
    columns: tuple[str, ...]
    values: dict[str, str]


class _RowPlan(NamedTuple):
    """What becomes of the columns of a row, which all have a value."""

    fields: tuple[tuple[str, str, dict[str, str]], ...]
    """Field, column, and what its words are translated to."""
    consent: tuple[tuple[str, str], ...]
    """Purpose and column of a consent that lies below its column."""
    properties: tuple[tuple[str, str], ...]
    """Property and column."""
    may_be_secret: bool
    """Whether a property has the name of a secret."""


class RowMapper:
    """Turns the rows of one file into encoded events; a row that cannot be one raises `Unmappable`.

    Each field is read as the HTTP door reads it, and held to what silver takes: what cannot be read goes to the
    properties, and the row stays; an id is neither cut nor repaired.
    """

    def __init__(self, settings: Settings, mapping: Mapping, kind: str, site: str, file_time: int) -> None:
        self._records = records = mapping.records(kind)
        self._kind, self._site, self._file_time = kind, site, file_time
        self._max_bytes = settings.landing.max_event_bytes
        self._oldest = int(datetime.fromisoformat(settings.events.oldest).replace(tzinfo=UTC).timestamp()) * 1000
        self._latest = time.time_ns() // 1_000_000 + settings.events.future_limit_minutes * 60_000
        # What the door's reader of events knows of a request; no client sent this one.
        self._request = Request(
            method="", path="", received_at=0, token="", nobody=settings.events.nobody_words,
            limits=msgspec.convert(settings.events, EventLimits, from_attributes=True),
        )  # fmt: skip
        self._as_it_stands = plain_rows.reader(self._request)
        self._namespace = (mapping.name,) if kind == "events" else (mapping.name, kind)
        self._nothing = frozenset(("", *mapping.null_marks))
        self._amount = mapping.amount
        self._time = parser(records.time.unit, records.time.zone)
        self._time_columns = bare(records.time.columns)
        self._event = _field("event", records.event)
        self._given_id = _field("event_id", records.rule("event_id") or FieldRule())
        self._given_site = _field("site", records.rule("site") or FieldRule())
        self._identity = bare(records.identity)
        rules = {name: rule for name in EVENT_FIELDS if name not in _OWN and (rule := records.rule(name))}
        self._constants: Row = {}
        for name, rule in rules.items():
            if rule.value is not None:
                self._constants[name] = self._value(name, rule.value, self._constants)
        fields = [_field(name, rule) for name, rule in rules.items() if rule.columns]
        self._by_column: dict[str, list[_Field]] = {}
        for field in fields:
            for column in field.columns:
                self._by_column.setdefault(column, []).append(field)
        self._consent = next((field.columns for field in fields if field.name == "consent"), ())
        self._plans: dict[tuple[str, ...], _RowPlan] = {}
        self._kept = [(column, column) for column in bare(records.properties) if not column.endswith("*")]
        self._nested = [column[:-1] for column in records.properties if column.endswith("*")]

    def __call__(self, row: Row | Unmappable) -> bytes:
        """The event as JSON, at most `max_bytes` long."""
        if isinstance(row, Unmappable):
            raise row
        nothing = self._nothing
        row = {
            column: value
            for column, value in row.items()
            if (value not in nothing if type(value) is str else is_there(value))
        }
        identity = self._derived_id(row) if self._identity else _first(row, self._given_id)
        if self._records.pairs:
            row = self._one_attribute(row)
        try:
            event = self._event_of(row, identity)
            encoded = payload(event, self._max_bytes)
        except UnicodeEncodeError as error:
            raise _undecodable(error) from None
        self._check_time(event.client_time if event.occurred_at is None else event.occurred_at)
        return encoded

    def _event_of(self, row: Row, identity: Any) -> Event:
        plan = self._plan(row)
        fields = self._values(row, plan)
        kind = self._records.event.value or self._kind_of(row)
        client_time, properties = self._client_time(row), _texts(row, plan.properties) or None
        fields["site"] = (_first(row, self._given_site) if self._given_site.columns else None) or self._site
        if event := self._as_it_stands(kind, identity, client_time, properties, fields, plan.may_be_secret):
            return event
        times = {name: fields.pop(name, None) for name in _TIMES}
        event = events.event(
            self._request, kind, own_id=identity, client_time=client_time, properties=properties, **times, **fields
        )
        if event.event == "item_update" and event.item_id is None:
            raise Unmappable("missing_item", "item_id has no value, or none that is an id")
        for name in MAY_BE_NEGATIVE:
            if str(getattr(event, name)).startswith("-"):  # a purchase's: another sale without it
                raise Unmappable("out_of_range", f"the {event.event} has the {name} {getattr(event, name)}")
        return redacted_event(event if event.site else msgspec.structs.replace(event, site=self._site))

    def _derived_id(self, row: Row) -> str:
        parts = [row.get(column) for column in self._identity]
        if None in parts:
            for written, part in zip(self._records.identity, parts, strict=True):
                if part is None and not written.endswith("?"):
                    raise Unmappable("missing_identity", f"column {written} is empty, and it identifies the event")
        return derived_id(*self._namespace, *("" if part is None else word(part) for part in parts))

    def _one_attribute(self, row: Row) -> Row:
        """A row that holds one attribute, with the attribute as a column of its own."""
        pairs = self._records.pairs
        assert pairs
        rest = {column: value for column, value in row.items() if column not in (pairs.name, pairs.value)}
        if pairs.name in row and pairs.value in row:
            rest[word(row[pairs.name])] = row[pairs.value]
        return rest

    def _values(self, row: Row, plan: "_RowPlan") -> Row:
        """The fields' values as events.event reads them."""
        read: Row = dict(self._constants)
        for name, column, translate in plan.fields:
            value = row[column]
            if translate:
                value = translate.get(word(value), value)
            read[name] = value if type(value) is str and name not in _READ_HERE else self._value(name, value, read)
        if plan.consent:  # an object, of which JSON and Parquet made columns
            read["consent"] = self._value("consent", {name: row[column] for name, column in plan.consent}, read)
        return read

    def _plan(self, row: Row) -> "_RowPlan":
        """What the columns of the row decide, which most rows of a file have in common."""
        columns = tuple(row)
        if (plan := self._plans.get(columns)) is None:
            plan = self._plan_of(columns)
            if len(self._plans) < _MOST_PLANS and sum(map(len, columns)) < _LONGEST_PLAN:
                self._plans[columns] = plan
        return plan

    def _plan_of(self, columns: tuple[str, ...]) -> "_RowPlan":
        there = {field.name: field for column in columns for field in self._by_column.get(column, ())}
        fields = tuple((name, column_there(columns, field.columns), field.values) for name, field in there.items())
        consent = below(columns, self._consent) if "consent" not in there else ()
        taken = {column for _, column, _ in fields}
        others = self._others(columns, taken) if self._nested else {}
        kept = {name: column for name, column in self._kept if column in columns}
        properties = {**others, **kept}
        return _RowPlan(fields, consent, tuple(properties.items()), any(map(is_secret_field, properties)))

    def _value(self, name: str, value: Any, read: Row) -> Any:
        """The value as JSON would have it; numbers with the signs of the mapping, times in its unit and zone."""
        if name in _TIMES:
            return time_of(self._time, value)
        if name == "ip":
            return values.address(text(value))
        if name in _NUMBERS and self._amount and isinstance(value, str):
            try:
                amount = self._amount(value)
            except ValueError:
                return value
            if name == "price" and amount.currency:
                read.setdefault("currency", amount.currency)
            return amount.amount if name == "price" or not amount.currency else value
        return as_json(value, is_name=name not in _NUMBERS)

    def _kind_of(self, row: Row) -> Any:
        kind = _first(row, self._event)
        if kind is None:
            raise Unmappable("missing_event", f"column {' or '.join(self._event.columns)} is empty: no kind of event")
        return kind

    def _client_time(self, row: Row) -> int:
        column, value = find(row, self._time_columns)
        if value is None:
            if self._kind == "items":
                return self._file_time
            raise Unmappable("missing_time", f"column {' or '.join(self._time_columns)} is empty")
        reason = f"no time as {self._records.time.unit}"
        try:
            time = self._time(value)
            if time < self._oldest and self._records.time.unit == "s":
                _auto(value)  # says of eight digits that they are a date
            if time < self._oldest and is_excels(value):
                reason = "a day as Excel counts them, or seconds of 1970: write 2026-11-28 10:00:00"
            elif MILLIS[0] <= time <= MILLIS[1]:
                return time
        except AmbiguousTime as error:
            reason = str(error)
        except (ValueError, TypeError, ArithmeticError):
            if is_excels(value):
                reason = "a day as Excel counts them: write 2026-11-28 10:00:00"
        raise Unmappable("bad_time", f"column {column} is {short(value)}: {reason}")

    def _check_time(self, moment: int) -> None:
        """What silver would refuse, said at once."""
        if not self._oldest <= moment <= self._latest:
            reason = "impossible_time" if moment < self._oldest else "future_time"
            limit = "oldest" if moment < self._oldest else "future_limit_minutes"
            day = date(1970, 1, 1) + timedelta(days=moment // _DAY)
            raise Unmappable(reason, f"the event is of {day}, beyond events.{limit}")

    def _others(self, row: tuple[str, ...], taken: set[str]) -> dict[str, str]:
        """What no field took, below the first wildcard that fits; of two equal names the earlier wildcard's wins."""
        own = (self._event.columns, self._given_id.columns, self._given_site.columns, self._time_columns)
        taken = taken.union(column_there(row, columns) for columns in own)
        others: dict[str, str] = {}
        for prefix in self._nested:
            below = [column for column in row if column.startswith(prefix) and column not in taken]
            taken.update(below)
            others = {**{column[len(prefix) :]: column for column in below}, **others}
        return others


def payload(event: Event, max_bytes: int) -> bytes:
    """The event as a landing line has it; Unmappable if it is too large, or its text is none."""
    try:
        encoded = encode(event)
    except UnicodeEncodeError as error:
        raise _undecodable(error) from None
    if len(encoded) > max_bytes:
        raise Unmappable(
            "too_large", f"the event has {len(encoded):,} bytes, above landing.max_event_bytes = {max_bytes:,}"
        )
    return encoded


def _undecodable(error: UnicodeEncodeError) -> Unmappable:
    return Unmappable("undecodable", f"the text {short(error.object)} is not in the file's encoding")


def _texts(row: Row, pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Name → text of the column, for (name, column) pairs whose column has a value."""
    return {
        name: value if type(value) is str else word(value) if name == "previous_id" else text(value)
        for name, column in pairs
        if (value := row.get(column)) is not None
    }


def _first(row: Row, field: _Field) -> Any:
    value = find(row, field.columns)[1]
    return None if value is None else field.values.get(word(value), as_json(value, is_name=True))


def _field(name: str, rule: FieldRule) -> _Field:
    return _Field(name, bare(rule.columns), rule.values)
