"""History files as records: what the file is, its bytes tell, not its name."""

import csv
import io
import re
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

import msgspec

from collector.imports.mapping import Mapping
from collector.imports.rows import Row, Unmappable
from nextclick.errors import UsageError

_BLOCK = 1 << 18
_LONGEST_LINE = 1 << 20
"""Bytes or characters; what a longer line has beyond is skipped, so that a bomb cannot fill the memory."""
_SAMPLE = 100
_JSON_NAME = re.compile(r"\.(json|jsonl|ndjson)(\.gz)?$", re.IGNORECASE)
_decode = msgspec.json.Decoder().decode


class Record(NamedTuple):
    """One record of a file; `row` is the fault instead where it cannot be read."""

    first: int
    """Number of its first line, from 1 (of the row, in Parquet)."""
    last: int
    row: Row | Unmappable
    raw: list[str] | bytes | Row
    """As it stands in the file; valid until the next record is asked for."""


class Source:
    """An open file: its columns (None: each record has its own) and its records."""

    columns: list[str] | None = None
    damage: str | None = None
    """Why the file ended before its end; known after the last record."""
    fragment: str = ""
    """What the cut left of the last line."""

    def __init__(self, path: Path, file: IO[bytes]) -> None:
        self.path = path
        self._file = file

    def records(self, after: int = 0) -> Iterator[Record]:
        """The records behind line (or row) `after`, which ends an earlier record."""
        raise NotImplementedError

    def tell(self) -> int:
        """Bytes of the file read so far."""
        return self._file.tell()

    def close(self) -> None:
        self._file.close()


class _Lines(Source):
    """A file of lines, perhaps compressed."""

    _newlines: tuple[Any, ...]

    def __init__(self, path: Path, file: IO[bytes], stream: "_Gunzip | None") -> None:
        super().__init__(path, file)
        self._gunzip = stream

    def _bounded(self, readline: Callable[[int], Any]) -> Iterator[Any]:
        while line := readline(_LONGEST_LINE):
            if line[-1:] not in self._newlines:
                if len(line) >= _LONGEST_LINE:
                    self._skip_line(readline)
                elif self._cut(line):
                    return
            yield line
        self._cut("")

    def _skip_line(self, readline: Callable[[int], Any]) -> None:
        while (more := readline(_LONGEST_LINE)) and more[-1:] not in self._newlines:
            pass

    def _cut(self, fragment: Any) -> bool:
        if self._gunzip is None or self._gunzip.damage is None:
            return False
        self.damage = self._gunzip.damage
        self.fragment = fragment.decode("utf-8", "surrogateescape") if isinstance(fragment, bytes) else fragment
        return True


class JsonLines(_Lines):
    """One JSON object a line; `{"a": {"b": 1}}` has the column `a.b`."""

    _newlines = (b"\n",)

    def __init__(self, path: Path, file: IO[bytes], stream: IO[bytes], gunzip: "_Gunzip | None") -> None:
        super().__init__(path, file, gunzip)
        self._stream = stream

    def records(self, after: int = 0) -> Iterator[Record]:
        for number, line in enumerate(self._bounded(self._stream.readline), 1):
            if number > after and not line.isspace():
                yield Record(number, number, _json_row(line), line)

    def sample(self) -> set[str]:
        """The columns of the first records."""
        rows = [record.row for record, _ in zip(self.records(), range(_SAMPLE), strict=False)]
        return {column for row in rows if isinstance(row, dict) for column in row}


class Delimited(_Lines):
    """CSV or TSV with a header line, unless the mapping names the columns."""

    _newlines = ("\n", "\r")

    def __init__(self, path: Path, file: IO[bytes], stream: IO[bytes], gunzip: "_Gunzip | None", mapping: Mapping) -> None:
        super().__init__(path, file, gunzip)
        encoding = "utf-8-sig" if mapping.encoding.lower() in ("utf-8", "utf8") else mapping.encoding
        self._text = io.TextIOWrapper(stream, encoding, "surrogateescape", newline="")
        self._lines = self._bounded(self._text.readline)
        self._ahead: deque[str] = deque()
        self._header_lines = 0
        header = "" if mapping.columns else next(self._lines, "")
        self._delimiter = mapping.delimiter or max("\t;,", key=header.count)
        if header:
            self._header_lines = 1
        self.columns = mapping.columns or next(csv.reader([header.rstrip("\r\n")], delimiter=self._delimiter), [])

    def records(self, after: int = 0) -> Iterator[Record]:
        last = self._header_lines
        while last < after and next(self._lines, None) is not None:
            last += 1
        kept: list[str] = []
        reader = csv.reader(self._kept(kept), delimiter=self._delimiter, strict=True)
        while True:
            kept.clear()
            row = self._next_row(reader)
            if not kept:
                return
            if isinstance(row, Unmappable) and len(kept) > 1:  # an unclosed quote: it costs its own line alone
                self._ahead.extendleft(reversed(kept[1:]))
                del kept[1:]
            first, last = last + 1, last + len(kept)
            if row:
                yield Record(first, last, row, kept)

    def _next_row(self, reader: Any) -> Row | Unmappable | None:
        columns = self.columns or []
        try:
            values = next(reader, None)
        except csv.Error as error:
            return Unmappable("malformed_row", f"not a delimited row: {error}")
        if not values:
            return None
        if len(values) != len(columns):
            return Unmappable("wrong_column_count", f"{len(values)} columns instead of the header's {len(columns)}")
        return dict(zip(columns, values, strict=True))

    def _kept(self, kept: list[str]) -> Iterator[str]:
        while (line := self._ahead.popleft() if self._ahead else next(self._lines, None)) is not None:
            kept.append(line)
            yield line


class Parquet(Source):
    """A Parquet file; a nested field has the column `a.b`."""

    def __init__(self, path: Path, file: IO[bytes]) -> None:
        import pyarrow.parquet as parquet  # 0.2 s that the other formats do without
        from pyarrow import ArrowException

        super().__init__(path, file)
        self._error: tuple[type[BaseException], ...] = (ArrowException, OSError)
        self._rows = 0
        try:
            self._table = parquet.ParquetFile(file)
            self.columns = list(_flat(dict.fromkeys(self._table.schema_arrow.names)))
        except self._error as error:
            self._table = None
            self.damage = f"it is no whole Parquet file: {error}"

    def records(self, after: int = 0) -> Iterator[Record]:
        if self._table is None:
            return
        try:
            for batch in self._table.iter_batches():
                for row in batch.to_pylist():
                    self._rows += 1
                    if self._rows > after:
                        yield Record(self._rows, self._rows, _flat(row), row)
        except self._error as error:
            self.damage = f"it cannot be read on: {error}"

    def tell(self) -> int:
        size = self.path.stat().st_size
        return size * self._rows // max(1, self._table.metadata.num_rows) if self._table else size


class _Gunzip(io.RawIOBase):
    """Unpacked bytes of a gzip stream, of several members too; a damaged one ends early and says why."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._member = zlib.decompressobj(wbits=31)
        self._packed = b""
        self.damage: str | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._some(len(buffer)) if self.damage is None else b""
        buffer[: len(data)] = data
        return len(data)

    def _some(self, size: int) -> bytes:
        try:
            while True:
                if self._member.eof and not self._next_member():
                    return b""
                packed = self._packed or self._file.read(_BLOCK)
                data = self._member.decompress(packed, size)
                self._packed = self._member.unconsumed_tail
                if data:
                    return data
                if not packed:
                    self.damage = "its gzip stream is cut in the middle"
                    return b""
        except zlib.error as error:
            self.damage = f"its gzip stream is damaged: {error}"
            return b""

    def _next_member(self) -> bool:
        rest = (self._member.unused_data or self._file.read(_BLOCK)).lstrip(b"\0")
        while not rest and (more := self._file.read(_BLOCK)):
            rest = more.lstrip(b"\0")
        self._packed, self._member = rest, zlib.decompressobj(wbits=31)
        return bool(rest)


def open_source(path: Path, mapping: Mapping) -> Source:
    """Open a history file; UsageError if it cannot be read or is of no known form."""
    try:
        file = path.open("rb")
        magic = file.read(4)
        file.seek(0)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}. Name files or folders of history.") from error
    if magic == b"PAR1":
        return Parquet(path, file)
    gunzip = _Gunzip(file) if magic[:2] == b"\x1f\x8b" else None
    stream = io.BufferedReader(gunzip, _BLOCK) if gunzip else file
    start = stream.peek(_BLOCK).removeprefix(b"\xef\xbb\xbf").lstrip()[:1]  # type: ignore[union-attr]
    if start == b"[" and not mapping.columns:
        file.close()
        raise UsageError(f"{path} is a JSON array. Write one object a line, for example with: jq -c '.[]'.")
    if start == b"{" or _JSON_NAME.search(path.name):
        return JsonLines(path, file, stream, gunzip)
    return Delimited(path, file, stream, gunzip, mapping)


def _json_row(line: bytes) -> Row | Unmappable:
    try:
        value = _decode(line)
        if isinstance(value, dict):
            return _flat(value)
        return Unmappable("malformed_json", "the line is JSON, but no object")
    except UnicodeDecodeError:
        return Unmappable("undecodable", "the line is not UTF-8")
    except (msgspec.DecodeError, RecursionError) as error:
        return Unmappable("malformed_json", f"the line is not JSON: {error}")


def _flat(row: Row, prefix: str = "") -> Row:
    """Nested objects as columns with dotted names."""
    if not any(isinstance(value, dict) for value in row.values()):
        return {prefix + column: value for column, value in row.items()} if prefix else row
    flat: Row = {}
    for column, value in row.items():
        if isinstance(value, dict):
            flat.update(_flat(value, f"{prefix}{column}."))
        else:
            flat[prefix + column] = value
    return flat
