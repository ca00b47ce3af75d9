"""JSON lines: one object a line."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import IO, Final

from collector.dialects.shared.json_text import json_of
from collector.imports.cells import Row
from collector.imports.source import LineSource, RecordBatch
from collector.imports.unpacking import Unpacked
from collector.request.errors import Unmappable

_DEEPEST: Final = 100
"""Levels of nesting: deeper ones no column's name is made of."""


class JsonLines(LineSource):
    """One JSON object a line; `{"a": {"b": 1}}` has the column `a.b`."""

    def __init__(self, path: Path, file: IO[bytes], stream: IO[bytes], unpacked: Unpacked | None) -> None:
        super().__init__(path, file, unpacked)
        self._lines = self._bounded(stream.readline, (b"\n",))

    def batches(self, after: int, size: int) -> Iterator[RecordBatch]:
        last = sum(1 for _ in islice(self._lines, after))
        while lines := list(islice(self._lines, size)):
            filled = [number for number, line in enumerate(lines) if not line.isspace()]
            raw = [lines[number] for number in filled]
            yield RecordBatch(
                [last + 1 + number for number in filled], [_row(line) for line in raw], raw, last + len(lines)
            )
            last += len(lines)


def _row(line: bytes) -> Row | Unmappable:
    try:
        line.decode()  # other bytes are another encoding's: of the whole file, which is to be written anew
        value = json_of(line, _DEEPEST)
    except UnicodeDecodeError:
        return Unmappable("undecodable", "the line is not UTF-8")
    except RecursionError:
        return Unmappable("malformed_json", f"the line is nested more than {_DEEPEST} levels deep")
    except ValueError as error:
        if (before := line.rstrip()).endswith(b","):  # a line of an array, as the door takes it
            return _row(before.rstrip(b", \t"))
        return Unmappable("malformed_json", f"the line is not JSON: {error}")
    return flat(value) if isinstance(value, dict) else Unmappable("malformed_json", "the line is JSON, but no object")


def flat(row: Row, prefix: str = "") -> Row:
    """Nested objects as columns with dotted names.

    >>> flat({"a": 1, "b": {"c": {"d": 2}}})
    {'a': 1, 'b.c.d': 2}
    """
    columns: Row = {}
    for name, value in row.items():
        if isinstance(value, dict):
            columns |= flat(value, f"{prefix}{name}.")
        else:
            columns[prefix + name] = value
    return columns
