"""Events as people write them: a kind, and conditions in brackets.

    PATTERN    EVENT or EVENT[CONDITION,CONDITION,…], such as view_item[category=shoes,price>=20]; * is any kind of event
    CONDITION  NAME, one of = != < <= > >= ~ (contains), and a value
    NAME       a field of silver.events, else a property; properties.NAME is always the property

A kind, name or value with one of []",=!<>~ in it stands in double quotes, a quote in it twice. < and its like compare numbers; what
is absent or no number fulfils != alone.
"""

import re
from typing import Any, Final, NamedTuple

from nextclick.contracts.silver import EVENTS
from nextclick.errors import UsageError

ANY: Final = "*"
_WORD: Final = r'(?:"(?:[^"]|"")+"|[^\[\]",=!<>~]+)'
_OPERATORS: Final = ("!=", "<=", ">=", "=", "<", ">", "~")
_CONDITION: Final = rf"({_WORD})({'|'.join(_OPERATORS)})({_WORD})"
_PATTERN: Final = re.compile(rf"({_WORD})(?:\[({_CONDITION}(?:,{_CONDITION})*)\])?")
_NUMBERS: Final = ("bigint", "int", "double", "decimal(18,4)")
_FIELDS: Final = {column.name: column.type for column in EVENTS.columns if column.type in ("string", *_NUMBERS)}
_PROPERTY: Final = "properties."


class EventCondition(NamedTuple):
    """What a field or property of an event must be."""

    name: str
    operator: str
    value: str


class EventPattern(NamedTuple):
    """What an event must be to be a step of a funnel, or the anchor of a path."""

    text: str
    """As it was written."""
    event: str
    where: tuple[EventCondition, ...]


class Values(list[Any]):
    """Values that a query is handed beside its text, in the order of their numbers."""

    def add(self, value: Any) -> str:
        """The value's place in the text."""
        self.append(value)
        return f"${len(self)}"


def pattern(text: str) -> EventPattern:
    """Read one; UsageError says what is wrong with it.

    >>> pattern("purchase").event, pattern('page_view[page_url~"/a,b",plan=pro]').where
    ('purchase', (EventCondition(name='page_url', operator='~', value='/a,b'), EventCondition(name='plan', operator='=', value='pro')))
    """
    read = _PATTERN.fullmatch(text.strip())
    if read is None:
        raise UsageError(
            f"{text!r} is no event: write EVENT or EVENT[NAME=VALUE,…], such as 'view_item[category=shoes,price>=20]'. "
            f'Operators: {" ".join(_OPERATORS)} (contains). What holds one of []",=!<>~ stands in double quotes.'
        )
    conditions = [EventCondition(_plain(a), sign, _plain(b)) for a, sign, b in re.findall(_CONDITION, read[2] or "")]
    for condition in conditions:
        _refuse(text, condition)
    return EventPattern(text.strip(), _plain(read[1]), tuple(conditions))


def _plain(word: str) -> str:
    word = word.strip()
    return word[1:-1].replace('""', '"') if word.startswith('"') else word


def _refuse(text: str, condition: EventCondition) -> None:
    """Names that cannot be compared, and words where a number must be."""
    field = _field(condition.name)
    numbers = condition.operator[0] in "<>" or (field is not None and _FIELDS[field] != "string")
    if numbers and condition.operator != "~" and _number(condition.value) is None:
        raise UsageError(f"{text!r}: {condition.name} is compared with a number here, and {condition.value!r} is none.")


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _field(name: str) -> str | None:
    """The field of that name; None: it is a property."""
    if name in _FIELDS:
        return name
    if name in EVENTS.column_names:
        raise UsageError(
            f"{name} cannot be compared. Fields that can: {', '.join(_FIELDS)}. Any other name is a property, and so is {_PROPERTY}{name}."
        )
    return None


def text_sql(name: str, values: Values) -> str:
    """SQL: a field or property of an event, as text."""
    field = _field(name)
    if field is None:
        return f"properties[{values.add(name.removeprefix(_PROPERTY))}]"
    return field if _FIELDS[field] == "string" else f"{field}::VARCHAR"


def pattern_sql(pattern: EventPattern, values: Values) -> str:
    """SQL: the event is one of the pattern."""
    parts = [f"event = {values.add(pattern.event)}"] if pattern.event != ANY else []
    parts += [_condition_sql(condition, values) for condition in pattern.where]
    return f"coalesce({' AND '.join(parts) or 'true'}, false)"


def _condition_sql(condition: EventCondition, values: Values) -> str:
    field, operator = _field(condition.name), condition.operator
    text = text_sql(condition.name, values)
    if operator == "~":
        return f"contains({text}, {values.add(condition.value)})"
    numbers = operator[0] in "<>" or (field is not None and _FIELDS[field] != "string")
    left = f"try_cast({text} AS DOUBLE)" if numbers else text
    right = values.add(float(condition.value) if numbers else condition.value)
    return f"{left} {'IS DISTINCT FROM' if operator == '!=' else operator} {right}"
