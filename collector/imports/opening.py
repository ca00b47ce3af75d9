"""What a history file is: its bytes tell, not its name."""

import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Final

import msgspec

from collector.imports.formats.delimited import Delimited
from collector.imports.formats.json_lines import JsonLines
from collector.imports.mapping import Mapping
from collector.imports.source import HistoryFile
from collector.imports.unpacking import Unpacked, unpacked
from nextclick.errors import UsageError

_BUFFER: Final = 1 << 18
_UNREAD: Final[dict[bytes, str]] = {
    b"PK\x03\x04": "a zip archive. Unpack it first",
    b"7z\xbc\xaf'\x1c": "a 7z archive. Unpack it first",
    b"\x1f\x9d": "packed by compress. Unpack it first",
    b"\x04\x22\x4d\x18": "packed by lz4. Unpack it first",
    b"PAR1": "Parquet. Import it with a mapping (docs/mappings.md)",
}
_TAR_AT: Final = 257
_UTF_16: Final = re.compile(rb"\xff\xfe|\xfe\xff|(?:[^\0]\0){4}|(?:\0[^\0]){4}", re.DOTALL)
_UTF_16_MARKS: Final = (b"\xff\xfe", b"\xfe\xff")
_SAMPLE_LINES: Final = 200
_CONTROLS: Final = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_JSON_NAME: Final = re.compile(r"\.(json|jsonl|ndjson)", re.IGNORECASE)


def open_source(path: Path, mapping: Mapping) -> HistoryFile:
    """Open a history file; UsageError if it cannot be read or is of no known form."""
    file, stream, packing = opened(path)
    if file.peek(4)[:4] == b"PAR1":
        from collector.imports.formats.parquet import Parquet  # pyarrow takes 0.2 s that the other forms do without

        return Parquet(path, file)
    return _lines(path, file, stream, packing, mapping)


def opened(path: Path) -> tuple[io.BufferedReader, io.BufferedReader, Unpacked | None]:
    """The file, its bytes unpacked, and what unpacks them (None where nothing does); UsageError if it cannot be read."""
    try:
        file = path.open("rb")
        packing = unpacked(file)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}. Name files or folders of history.") from error
    return file, io.BufferedReader(packing, _BUFFER) if packing else file, packing


def no_text(lines: Sequence[bytes]) -> str | None:
    """What a file with these first lines is, and what to do, where it is no text; a few damaged lines are no matter."""
    lines = [
        line for line in lines if line.strip(b"\0\r\n ")
    ]  # a log that was cut while it was written begins with zeros
    head = lines[0] if lines else b""
    if head.startswith(b"PK") and b"[Content_Types].xml" in head[:64]:
        return "a workbook of Excel. Save it as CSV first"
    for magic, what in _UNREAD.items():
        if head.startswith(magic):
            return what
    if head[_TAR_AT:].startswith(b"ustar"):
        return "a tar archive. Unpack it first"
    if _UTF_16.match(head):
        return "UTF-16. Write it as UTF-8 first: iconv -f UTF-16 -t UTF-8"
    return "no text" if 2 * sum(bool(_CONTROLS.search(line)) for line in lines) > len(lines) else None


def _lines(
    path: Path, file: IO[bytes], stream: io.BufferedReader, packing: Unpacked | None, mapping: Mapping
) -> HistoryFile:
    head = stream.peek(_BUFFER)
    if head.startswith(_UTF_16_MARKS):  # as Excel and PowerShell write it
        mapping = msgspec.structs.replace(mapping, encoding="utf-16")
        start = head[: len(head) & ~1].decode("utf-16", "replace").lstrip()[:1].encode()
    else:
        start = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    if start == b"[" and not mapping.columns:
        file.close()
        raise UsageError(f"{path} is a JSON array. Write one object a line, for example with: jq -c '.[]'.")
    is_json = start == b"{" or _JSON_NAME.search(path.name)
    if is_json or _is_ascii(mapping.encoding):
        _require_text(path, file, head.replace((mapping.delimiter or "\t").encode(), b"\t"))  # Hive's is ^A
    if is_json:
        return JsonLines(path, file, stream, packing)
    return Delimited(path, file, stream, packing, mapping)


def _is_ascii(encoding: str) -> bool:
    """Whether the encoding writes ASCII as it is, so that its text has no control characters."""
    return "a,1".encode(encoding) == b"a,1"


def _require_text(path: Path, file: IO[bytes], head: bytes) -> None:
    if what := no_text(head.splitlines()[:_SAMPLE_LINES]):
        file.close()
        forms = " Name files of CSV, TSV, JSON lines or Parquet." if what == "no text" else ""
        raise UsageError(f"{path} is {what}.{forms}")
