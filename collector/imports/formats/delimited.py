"""CSV, TSV and their like."""

import csv
import io
import re
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import IO, Any, Final

from collector.imports.cells import Row
from collector.imports.mapping import Mapping
from collector.imports.source import LineSource, RecordBatch
from collector.imports.unpacking import Unpacked
from collector.request.errors import Unmappable

_PREAMBLE: Final = 50
"""Lines among which a header is looked for that other lines may stand before."""
_SEPARATOR: Final = re.compile(r"(?i)\"?sep=(\t|[^\w\s\"])\"?\r?\n?")
"""The first line of a file that was written for Excel: it names the delimiter."""


class Delimited(LineSource):
    """CSV or TSV with a header line, unless the mapping names the columns."""

    columns: list[str]

    def __init__(
        self, path: Path, file: IO[bytes], stream: IO[bytes], unpacked: Unpacked | None, mapping: Mapping
    ) -> None:
        super().__init__(path, file, unpacked)
        encoding = "utf-8-sig" if mapping.encoding.lower() in ("utf-8", "utf8") else mapping.encoding
        self._text = io.TextIOWrapper(stream, encoding, "surrogateescape", newline="")  # closes the file when it goes
        self._lines: Iterator[str] = self._bounded(self._text.readline, ("\n", "\r"))
        self._ahead: deque[str] = deque()
        """Lines that are read but not used yet."""
        named = self._separator()
        before, header = ([], "") if mapping.columns else self._header(mapping)
        self._header_lines = bool(named) + len(before) + bool(header)
        self._delimiter = named or _delimiter(header, mapping)
        self._escape = mapping.escape
        mark, escape = re.escape(self._delimiter), re.escape(mapping.escape or "")
        self._null = re.compile(rf"(?:^|(?<={mark})){escape}N(?={mark}|\r?\n?\Z)") if escape else None
        """A field that is the escape and N: MySQL's and Hive's mark, which the escape would turn to N."""
        self.columns = mapping.columns or next(self._reader([header.rstrip("\r\n")]), [])

    def batches(self, after: int, size: int) -> Iterator[RecordBatch]:
        last = self._header_lines
        last += sum(1 for _ in islice(self._lines, max(0, after - last)))
        while lines := [*self._ahead, *islice(self._lines, size)]:
            self._ahead.clear()
            batch = self._regular(lines, last) or self._careful(lines, last, size)
            last = batch.last
            yield batch

    def _separator(self) -> str:
        """The delimiter that the first line names; "" where that is another line."""
        first = next(self._lines, "")
        match = _SEPARATOR.fullmatch(first)
        self._lines = chain([] if match else filter(None, [first]), self._lines)
        return match[1] if match else ""

    def _header(self, mapping: Mapping) -> tuple[list[str], str]:
        """The lines before the header, and the header: the first line, or the first with the columns that the mapping names."""
        wanted, first = {*mapping.header}, list(islice(self._lines, _PREAMBLE if mapping.header else 1))
        fitting = (at for at, line in enumerate(first) if wanted <= _fields(line, mapping))
        at = next(fitting, 0) if wanted else 0
        self._lines = chain(first[at + 1 :], self._lines)
        return first[:at], "".join(first[at : at + 1])

    def _reader(self, lines: Iterable[str]) -> Any:
        if self._null:
            lines = (self._null.sub("", line) for line in lines)
        return csv.reader(lines, delimiter=self._delimiter, escapechar=self._escape, strict=True)

    def _regular(self, lines: list[str], last: int) -> RecordBatch | None:
        """The batch, if each line is one row with the right number of columns: the hot path."""
        try:
            parsed = list(self._reader(lines))
        except csv.Error:
            return None
        if len(parsed) != len(lines) or {*map(len, parsed)} != {len(self.columns)}:
            return None
        rows = [dict(zip(self.columns, row, strict=True)) for row in parsed]
        return RecordBatch(range(last + 1, last + 1 + len(rows)), rows, lines, last + len(rows))

    def _careful(self, lines: list[str], last: int, size: int) -> RecordBatch:
        """The batch, row by row: rows over several lines, blank lines, and faults."""
        self._ahead.extend(lines)
        kept: list[str] = []
        reader = self._reader(self._keeping(kept))
        numbers: list[int] = []
        rows: list[Row | Unmappable] = []
        raw: list[str] = []
        while len(rows) < size:
            kept.clear()
            row = self._next_row(reader, kept)
            if not kept:
                break
            if isinstance(row, Unmappable):  # an unclosed quote costs its own line alone
                self._ahead.extendleft(reversed(kept[1:]))
                del kept[1:]
            if row:
                numbers.append(last + 1)
                rows.append(row)
                raw.append("".join(kept))
            last += len(kept)
        return RecordBatch(numbers, rows, raw, last)

    def _next_row(self, reader: Any, kept: list[str]) -> Row | Unmappable | None:
        try:
            values = next(reader, None)
        except csv.Error as error:
            hint = (
                ""
                if self._escape or '\\"' not in "".join(kept)
                else r"; if \" is a quote, give the mapping escape = '\'"
            )
            return Unmappable("malformed_row", f"not a delimited row: {error}{hint}")
        if not values:
            return None
        if len(values) != len(self.columns):
            return Unmappable("wrong_column_count", f"{len(values)} columns instead of {len(self.columns)}")
        return dict(zip(self.columns, values, strict=True))

    def _keeping(self, kept: list[str]) -> Iterator[str]:
        while (line := self._ahead.popleft() if self._ahead else next(self._lines, None)) is not None:
            kept.append(line)
            yield line


def _delimiter(header: str, mapping: Mapping) -> str:
    return mapping.delimiter or max("\t;,|", key=header.count)


def _fields(line: str, mapping: Mapping) -> set[str]:
    try:
        return {*next(csv.reader([line.rstrip("\r\n")], delimiter=_delimiter(line, mapping)), [])}
    except csv.Error:
        return set()
