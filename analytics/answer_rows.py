"""Rows of an answer as columns: thousands are put in order and kept without a Python object a cell; who looks at some has these made."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, overload

import pyarrow as pa
import pyarrow.compute as pc

Row = tuple[Any, ...]
_AT_ONCE = 4_096


class AnswerRows(Sequence[Row]):
    """Tuples as the columns of an Arrow table have them; equal to a sequence of the same ones."""

    def __init__(self, columns: pa.Table) -> None:
        self._columns = columns

    def __len__(self) -> int:
        return int(self._columns.num_rows)

    @overload
    def __getitem__(self, at: int) -> Row: ...
    @overload
    def __getitem__(self, at: slice) -> list[Row]: ...
    def __getitem__(self, at: int | slice) -> Row | list[Row]:
        if isinstance(at, int):
            [row] = _tuples(self._columns.slice(range(len(self))[at], 1))
            return row
        places = range(len(self))[at]
        if places.step == 1:
            return _tuples(self._columns.slice(places.start, len(places)))
        return _tuples(self._columns.take(pa.array(places, pa.int64())))

    def __iter__(self) -> Iterator[Row]:
        for start in range(0, len(self), _AT_ONCE):
            yield from self[start : start + _AT_ONCE]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and len(self) == len(other) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return repr(list(self))

    def beginning(self, keys: Sequence[Row]) -> list[Row]:
        """Those that begin with one of these keys, and perhaps others."""
        rows = self._columns
        for at, values in enumerate(zip(*keys, strict=True)):
            rows = rows.filter(pc.is_in(rows[at], pa.array({*values}, rows[at].type)))
        return _tuples(rows if keys else rows.slice(0, 0))

    def lacks(self, at: int) -> bool:
        """Whether any row has None there."""
        return bool(self._columns[at].null_count)

    @property
    def bytes(self) -> int:
        """In memory."""
        return int(self._columns.nbytes)


def ordered(rows: pa.Table, by: Sequence[str], first: str, apart: Iterable[str]) -> AnswerRows:
    """By those of `by` that are no words or stay `apart`, then `first`, the largest first, then words; what is absent comes last."""
    words = [name for name in by if pa.types.is_string(rows.schema.field(name).type) and name not in {*apart}]
    keys = {name: pc.is_null(rows[name]).cast(pa.int8()) if name in words else rows[name] for name in by}
    keys |= {" first": rows[first], **{f" {name}": rows[name] for name in words}}
    order = [(name, "descending" if name == " first" else "ascending", "at_end") for name in keys]
    return AnswerRows(rows.take(pc.sort_indices(pa.table(keys), order)))


def _tuples(columns: pa.Table) -> list[Row]:
    if not columns.num_columns:
        return [()] * columns.num_rows
    return list(zip(*map(_values, columns.columns), strict=True))


def _values(column: pa.ChunkedArray) -> list[Any]:
    """Sums of whole numbers are decimals without places in Arrow, of more digits than an integer has."""
    values: list[Any] = column.to_pylist()
    if pa.types.is_decimal(column.type) and not column.type.scale:
        return [None if value is None else int(value) for value in values]
    return values
