"""A mapping file: which column of a file means what. docs/mappings.md teaches the form."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from collector.request.numbers import Money, money
from nextclick.conf_files import Form, toml
from nextclick.contracts.events import Event, derived_id
from nextclick.contracts.silver_imported import COSTS, MARKET
from nextclick.contracts.table import Column, Table
from nextclick.errors import MappingError

_FORM: Final = Form("mapping", "docs/mappings.md", MappingError)
EVENT_FIELDS: Final = {field.name: field for field in msgspec.structs.fields(Event) if field.name != "unread_fields"}
"""What a sender fills."""
FIGURES: Final[dict[str, Table]] = {"costs": COSTS, "market": MARKET}
"""Kinds of files whose rows are figures of a day, and the tables that they are brought into."""
KINDS: Final = ("events", "items", *FIGURES)
"""What a row of a file may be: the parts of a mapping."""
UNSAID: Final = dict.fromkeys(("account", "medium", "campaign", "content"), "(none)")
"""What stands for a figure's word that the file does not say."""
_NOT_MAPPED: Final = ("date", "file", "imported_at")
UNITS: Final = ("s", "ms", "us", "ns", "iso8601", "auto")
_THOUSANDS: Final = (".", ",", "'", "’", " ", "\u00a0", "\u202f")
_RULED: Final = ("event", "client_time", "properties")  # not among the fields: they have keys of their own


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass


class FieldRule(_Part, frozen=True):
    """Where a field's value comes from: the first of `column` that has one, translated by `values`; or a constant."""

    column: str | list[str] = []
    value: str | None = None
    values: dict[str, str] = {}

    @property
    def columns(self) -> list[str]:
        """As written: a trailing `?` marks a column that a file may lack."""
        return [self.column] if isinstance(self.column, str) else self.column


class Time(_Part, frozen=True):
    """Where the time comes from and how it is written: a unit of UNITS or a strptime format."""

    column: str | list[str] = []
    unit: str = "iso8601"
    zone: str = "UTC"
    """The zone of times that name none."""

    @property
    def columns(self) -> list[str]:
        return [self.column] if isinstance(self.column, str) else self.column


class Pairs(_Part, frozen=True):
    """Rows that hold one attribute each: the column with its name, the column with its value."""

    name: str
    value: str


_ITEM_UPDATE: Final = FieldRule(value="item_update")


class Records(_Part, frozen=True):
    """How the rows of one kind of file (events or items) become events."""

    fields: dict[str, str | list[str] | FieldRule] = {}
    event: FieldRule = _ITEM_UPDATE
    time: Time = Time()
    identity: list[str] = []
    """Columns that together identify an event; none: its site, visitor, time and payload."""
    properties: list[str] = []
    """Columns that are kept in `properties`; `*` for all that no field took, `prefix.*` for a nested object."""
    canonical: bool = False
    """Take every canonical field under its own name too."""
    pairs: Pairs | None = None
    files: tuple[str, ...] = ("*.csv*", "*.tsv*", "*.json*", "*.ndjson*", "*.parquet*")
    """Names of the files that count, where a folder is imported."""

    def rule(self, field: str) -> FieldRule | None:
        """The rule of a canonical field; None if nothing gives it."""
        rule = self.fields.get(field)
        if rule is None:
            return FieldRule(f"{field}?") if self.canonical and field not in _RULED else None
        return rule if isinstance(rule, FieldRule) else FieldRule(rule)

    def wanted(self) -> list[list[str]]:
        """Groups of alternative columns, one of each must be in a file; optional ones are left out."""
        rules = [rule.columns for field in self.fields if (rule := self.rule(field))]
        exact = [column for column in self.properties if not column.endswith("*")]
        single = [*self.identity, *exact, *((self.pairs.name, self.pairs.value) if self.pairs else ())]
        groups = [*rules, self.event.columns, self.time.columns, *([column] for column in single)]
        return [group for group in groups if group and not any(column.endswith("?") for column in group)]


class Figures(_Part, frozen=True):
    """How the rows of a file of figures become rows of a table of FIGURES."""

    fields: dict[str, str | list[str] | FieldRule] = {}
    """A column may have one `*`, in whose place the file's own column names the currency: `Amount spent (*)`."""
    day: Time = Time()
    until: str | list[str] = []
    """The column with the last day that a row is of: one of several days cannot be told apart."""
    sums: tuple[str, ...] = ()
    """How the day of a row that sums up others begins; where this is said, rows without a day or a campaign are such, too."""
    files: tuple[str, ...] = ("*.csv*", "*.tsv*", "*.json*", "*.ndjson*", "*.parquet*")
    """Names of the files that count, where a folder is imported."""

    def rule(self, field: str) -> FieldRule | None:
        """The rule of a field; None if nothing gives it."""
        rule = self.fields.get(field)
        return rule if isinstance(rule, FieldRule | None) else FieldRule(rule)

    @property
    def last_day(self) -> list[str]:
        return [self.until] if isinstance(self.until, str) else self.until

    def wanted(self) -> list[list[str]]:
        """Groups of alternative columns, one of each must be in a file; optional ones are left out."""
        groups = [
            *(rule.columns for field in self.fields if (rule := self.rule(field))),
            self.day.columns,
            self.last_day,
        ]
        return [group for group in groups if group and not any(column.endswith("?") for column in group)]


def fields_of(table: Table) -> list[Column]:
    """The columns of a table of FIGURES that a file fills."""
    return [column for column in table.columns if column.name not in _NOT_MAPPED]


def is_needed(column: Column) -> bool:
    """Whether a mapping must say where it comes from: a site is that of the import, a currency may stand beside the money."""
    return not column.nullable and column.name not in {*UNSAID, "site", "currency"}


class Mapping(_Part, frozen=True):
    """A whole mapping file; `name` is the file's stem, and `digest` stands for what is written in it."""

    events: Records | None = None
    items: Records | None = None
    costs: Figures | None = None
    market: Figures | None = None
    header: list[str] = []
    """Columns by which the header line is known, where other lines stand before it."""
    delimiter: str | None = None
    encoding: str = "utf-8"
    escape: str | None = None
    """What stands before a quote, a delimiter or a line break that is meant as it stands, as MySQL writes it; None: quotes are doubled."""
    decimal: str | None = None
    """The sign before the decimals of numbers in text; None: told by each number, where it tells."""
    thousands: str | None = None
    """The sign between thousands in such numbers."""
    null_marks: tuple[str, ...] = ("\\N", "NULL", "Null", "null", "None", "NaN", "nan", "NaT", "<NA>", "(null)", "#N/A")
    """Texts that stand for no value: as MySQL, Hive, PostgreSQL, Python, pandas and spreadsheets write it."""
    columns: list[str] = []
    """The columns of delimited files that have no header line."""
    name: str = ""
    digest: str = ""

    def records(self, kind: str) -> Records:
        """The rules of `events` or `items`."""
        records: Records = self._part(kind)
        return records

    def figures(self, kind: str) -> Figures:
        """The rules of a kind of FIGURES."""
        figures: Figures = self._part(kind)
        return figures

    def _part(self, kind: str) -> Any:
        if (part := getattr(self, kind)) is None:
            raise MappingError(
                f"The mapping {self.name} has no [{kind}]. Write one (docs/mappings.md), or leave out --kind."
            )
        return part

    @property
    def kinds(self) -> list[str]:
        """What the files that it reads may hold."""
        return [kind for kind in KINDS if getattr(self, kind) is not None]

    @property
    def amount(self) -> Callable[[str], Money] | None:
        """How its numbers in text are read; None where it says nothing of them. ValueError for what is none."""
        if self.decimal is None and self.thousands is None:
            return None
        decimal = self.decimal or ("," if self.thousands == "." else ".")
        between = re.compile(rf"(?<=\d){re.escape(self.thousands)}(?=\d{{3}}(?!\d))") if self.thousands else None
        return lambda written: money(between.sub("", written) if between else written, decimal)


def load(name: str, folder: Path) -> Mapping:
    """The shipped mapping `name` of `folder`, or the file of that path; MappingError says what is wrong in it."""
    path = Path(name)
    if not (path.suffix == ".toml" or path.is_file()):
        path = folder / f"{name}.toml"
    try:
        tree = toml(path)
        written = derived_id(path.stem, msgspec.json.encode(tree, order="deterministic").decode())
        mapping = msgspec.convert({**tree, "name": path.stem, "digest": written}, Mapping)
    except FileNotFoundError as error:
        shipped = ", ".join(sorted(file.stem for file in folder.glob("*.toml")))
        raise MappingError(f"There is no mapping {name}. Name a .toml file, or one of: {shipped}.") from error
    except (OSError, ValueError) as error:
        raise _FORM.wrong(path, error) from error
    _check(mapping, path)
    return mapping


def _check(mapping: Mapping, path: Path) -> None:
    faults = list(_file_faults(mapping))
    for kind in ("events", "items"):
        if (records := getattr(mapping, kind)) is not None:
            faults += [f"[{kind}] {fault}" for fault in (*_field_faults(records, kind), *_time_faults(records.time))]
    for kind, table in FIGURES.items():
        if (figures := getattr(mapping, kind)) is not None:
            faults += [
                f"[{kind}] {fault}" for fault in (*_figure_faults(figures, table), *_time_faults(figures.day, "day"))
            ]
    if faults:
        raise _FORM.wrong(path, "; ".join(faults))


def _file_faults(mapping: Mapping) -> Iterator[str]:
    if not mapping.kinds:
        yield f"it has none of [{'], ['.join(KINDS)}]"
    if not re.fullmatch(r"[A-Za-z0-9_.-]{1,57}", mapping.name):
        yield "its file name must be letters, digits, '_', '-' and '.', at most 57 of them"
    for key in ("delimiter", "escape"):
        sign = getattr(mapping, key)
        if sign is not None and (len(sign) != 1 or sign in '"\r\n' or sign.isalnum()):
            yield f"{key} is {sign!r} instead of one character that is no letter, digit, quote or line break"
    if mapping.escape is not None and mapping.escape == mapping.delimiter:
        yield "escape and delimiter are the same"
    if mapping.decimal not in (None, ".", ","):
        yield f"decimal is {mapping.decimal!r} instead of '.' or ','"
    if mapping.thousands is not None and (
        mapping.thousands not in _THOUSANDS or mapping.thousands == (mapping.decimal or "")
    ):
        yield f"thousands is {mapping.thousands!r} instead of another of {', '.join(map(repr, _THOUSANDS))} than decimal"
    try:
        "".encode(mapping.encoding)
    except LookupError:
        yield f"encoding is {mapping.encoding!r}, which nobody knows: write utf-8, latin-1, cp1252, …"


def _field_faults(records: Records, kind: str) -> Iterator[str]:
    names = [field for field in EVENT_FIELDS if field not in _RULED]
    for field in records.fields:
        if field not in names:
            yield f"fields has {field!r}, which is no canonical field: {', '.join(names)}"
        elif (rule := records.rule(field)) and rule.value is None and not rule.columns:
            yield f"the field {field} needs a column or a value"
    if kind == "items" and not records.rule("item_id"):
        yield "fields needs `item_id`"
    if kind == "events":
        if records.event == _ITEM_UPDATE:
            yield 'it needs `event`: { value = "view_item" } or { column = "…" }'
        if not records.time.columns:
            yield 'it needs `time`: { column = "…", unit = "…" }'
        if not (records.rule("visitor_id") or records.rule("user_id")):
            yield "fields needs `visitor_id` or `user_id`"


def _figure_faults(figures: Figures, table: Table) -> Iterator[str]:
    columns = fields_of(table)
    names = [column.name for column in columns]
    for field in figures.fields:
        rule = figures.rule(field)
        if field not in names:
            yield f"fields has {field!r}, which is none of {', '.join(names)}"
        elif rule and rule.value is None and not rule.columns:
            yield f"the field {field} needs a column or a value"
    for column in columns:
        if is_needed(column) and column.name not in figures.fields:
            yield f"fields needs `{column.name}`"
    if not figures.day.columns:
        yield 'it needs `day`: { column = "…" }'


def _time_faults(time: Time, name: str = "time") -> Iterator[str]:
    if time.unit not in UNITS and "%" not in time.unit:
        yield f"{name}.unit is {time.unit!r}: use one of {', '.join(UNITS)}, or a format such as '%d/%m/%Y %H:%M:%S'"
    try:
        ZoneInfo(time.zone)
    except (ZoneInfoNotFoundError, ValueError):
        yield f"{name}.zone is {time.zone!r}, which is no time zone: write one such as America/Sao_Paulo"
