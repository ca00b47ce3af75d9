"""What a history file is: its bytes tell, not its name."""

import io
import re
from pathlib import Path
from typing import IO, Final

from collector.imports.delimited import Delimited
from collector.imports.gunzip import Gunzip
from collector.imports.json_lines import JsonLines
from collector.imports.mapping import Mapping
from collector.imports.source import HistoryFile
from nextclick.errors import UsageError

_BUFFER: Final = 1 << 18
_JSON_NAME: Final = re.compile(r"\.(json|jsonl|ndjson)(\.gz)?", re.IGNORECASE)


def open_source(path: Path, mapping: Mapping) -> HistoryFile:
    """Open a history file; UsageError if it cannot be read or is of no known form."""
    file, stream, gunzip = opened(path)
    if file.peek(4)[:4] == b"PAR1":
        from collector.imports.parquet import Parquet  # pyarrow takes 0.2 s that the other forms do without

        return Parquet(path, file)
    return _lines(path, file, stream, gunzip, mapping)


def opened(path: Path) -> tuple[io.BufferedReader, io.BufferedReader, Gunzip | None]:
    """The file, its bytes unpacked, and what unpacks them (None where nothing does); UsageError if it cannot be read."""
    try:
        file = path.open("rb")
        magic = file.peek(2)[:2]
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}. Name files or folders of history.") from error
    gunzip = Gunzip(file) if magic == b"\x1f\x8b" else None
    return file, io.BufferedReader(gunzip, _BUFFER) if gunzip else file, gunzip


def _lines(
    path: Path, file: IO[bytes], stream: io.BufferedReader, gunzip: Gunzip | None, mapping: Mapping
) -> HistoryFile:
    start = stream.peek(_BUFFER).removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    if start == b"[" and not mapping.columns:
        file.close()
        raise UsageError(f"{path} is a JSON array. Write one object a line, for example with: jq -c '.[]'.")
    if start == b"{" or _JSON_NAME.search(path.name):
        return JsonLines(path, file, stream, gunzip)
    return Delimited(path, file, stream, gunzip, mapping)
