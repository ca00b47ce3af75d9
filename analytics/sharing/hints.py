"""Which files a query can leave out: predicates on the columns of the partitioning, by the protocol's two notations.

A hint that is not understood leaves nothing out, as the protocol wants it: clients filter the rows themselves.
"""

import operator
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from typing import Any, Final

import msgspec

_MOST_DEEP: Final = 32
_COMPARES: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "equal": operator.eq,
    "lessThan": operator.lt,
    "lessThanOrEqual": operator.le,
    "greaterThan": operator.gt,
    "greaterThanOrEqual": operator.ge,
}
_SQL: Final = {"=": "equal", "<": "lessThan", "<=": "lessThanOrEqual", ">": "greaterThan", ">=": "greaterThanOrEqual"}
_TURNED: Final = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "="}
_COLUMN, _LITERAL = r"`?(?P<column>\w+)`?", r"(?:DATE\s*)?(?:'(?P<text>[^']*)'|(?P<number>-?\d+))"
_FORMS: Final = tuple(
    re.compile(rf"\s*{first}\s*(?P<sign><=|>=|=|<|>)\s*{second}\s*", re.IGNORECASE)
    for first, second in ((_COLUMN, _LITERAL), (_LITERAL, _COLUMN))
)
Values = Mapping[str, Any]
"""Of a file: column of the partitioning → value, None where it is null."""


class Hints:
    """The predicates of one query."""

    def __init__(self, sql: Iterable[str] = (), json: str | None = None) -> None:
        self._trees = [tree for tree in (*map(_of_sql, sql), _of_json(json)) if tree is not None]

    def may_match(self, values: Values) -> bool:
        """Whether a file with these values may hold a row that is wanted."""
        return all(_truth(tree, values, 0) is not False for tree in self._trees)


def _of_sql(text: str) -> dict[str, Any] | None:
    """`date >= '2026-01-01'` as the JSON notation says it; None for another form."""
    for number, form in enumerate(_FORMS):
        if match := form.fullmatch(text):
            sign = _TURNED[match["sign"]] if number else match["sign"]
            literal = match["text"] if match["text"] is not None else match["number"]
            return {
                "op": _SQL[sign],
                "children": [{"op": "column", "name": match["column"]}, {"op": "literal", "value": literal}],
            }
    return None


def _of_json(text: str | None) -> dict[str, Any] | None:
    try:
        tree = msgspec.json.decode(text) if text else None
    except (msgspec.DecodeError, RecursionError):
        return None
    return tree if isinstance(tree, dict) else None


def _truth(tree: Any, values: Values, depth: int) -> bool | None:
    """Of all rows of a file alike; None where the values do not say."""
    if not isinstance(tree, dict) or depth > _MOST_DEEP:
        return None
    children = tree.get("children")
    if not isinstance(children, list):
        return None
    match tree.get("op"), children:
        case "and", [_, *_]:
            return _all(_truth(child, values, depth + 1) for child in children)
        case "or", [_, *_]:
            return _not(_all(_not(_truth(child, values, depth + 1)) for child in children))
        case "not", [child]:
            return _not(_truth(child, values, depth + 1))
        case "isNull", [{"op": "column", "name": str() as name}]:
            return values[name] is None if name in values else None
        case str() as op, [left, right] if op in _COMPARES:
            return _compared(op, left, right, values)
    return None


def _all(truths: Iterable[bool | None]) -> bool | None:
    seen = set(truths)
    return False if False in seen else None if None in seen else True


def _not(truth: bool | None) -> bool | None:
    return None if truth is None else not truth


def _compared(op: str, left: Any, right: Any, values: Values) -> bool | None:
    """A comparison of a column with a literal, on either side; with null nothing is known."""
    kinds = {each.get("op"): each for each in (left, right) if isinstance(each, dict)}
    column, literal = kinds.get("column", {}).get("name"), kinds.get("literal", {}).get("value")
    value = values.get(column) if isinstance(column, str) else None
    other = _like(value, literal)
    if value is None or other is None:
        return None
    return _COMPARES[op](value, other) if left is kinds["column"] else _COMPARES[op](other, value)


def _like(value: Any, text: Any) -> Any:
    """A literal in the type of a value; None where it is none of that type."""
    try:
        match value:
            case date():
                return date.fromisoformat(str(text))
            case bool():
                return {"true": True, "false": False}.get(str(text).lower())
            case int():
                return int(text)
            case str():
                return text if isinstance(text, str) else None
    except (TypeError, ValueError):
        return None
    return None
