"""From a file's rows to what is landed: encoded events, and a typed reject for every row that cannot be one."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Final, NamedTuple

from collector.imports.cells import Row, text
from collector.imports.reading import Reading
from collector.imports.source import HistoryFile, RecordBatch
from collector.request.errors import Unmappable
from nextclick.contracts.events import Reject
from nextclick.redaction import redacted_line

_ROWS: Final = 2_000


class Chunk(NamedTuple):
    """The outcome of some records of one file, in their order; every record is in it once."""

    accepted: list[bytes]
    rejected: list[Reject]
    last: int
    """Last line (row, in Parquet) of the file that is in it."""


class Piece(NamedTuple):
    """A chunk of a file, and how many bytes of the file are read."""

    chunk: Chunk
    bytes_read: int


class FileEnd(NamedTuple):
    """What follows a file's last piece: why it ended before its end, if it did."""

    damage: str | None


def pieces(
    reading: Reading, path: Path, after: int, max_bytes: int, mine: Callable[[int], bool] = lambda place: True
) -> Iterator[Piece | FileEnd]:
    """The file behind line `after`: of its pieces and their end those whose place, counted from 0, is `mine`."""
    end = 0
    with closing(reading.open(path)) as source:
        for chunk in _chunks(source, reading.to_payload(path), after, max_bytes, mine):
            if chunk:
                yield Piece(chunk, source.tell())
            end += 1
        if mine(end):
            yield FileEnd(source.damage)


def chunks(
    source: HistoryFile, to_payload: Callable[[Row | Unmappable], bytes], after: int, max_bytes: int
) -> Iterator[Chunk]:
    """The file behind line `after`; if it was cut, the last chunk is one reject that says so.

    A reject's payload is the record as it stands, whole up to `max_bytes`, without secrets and whole addresses.
    """
    return filter(None, _chunks(source, to_payload, after, max_bytes, lambda place: True))


def _chunks(
    source: HistoryFile,
    to_payload: Callable[[Row | Unmappable], bytes],
    after: int,
    max_bytes: int,
    mine: Callable[[int], bool],
) -> Iterator[Chunk | None]:
    """The chunks in their places, None in the place of one that is not `mine`."""
    last, end = after, 0
    for batch in source.batches(after, _ROWS):
        yield _mapped(batch, to_payload, str(source.path), max_bytes) if mine(end) else None
        last, end = batch.last, end + 1
    if source.damage:
        fault = Unmappable("cut_short", f"the file ends before its end: {source.damage}")
        cut = _reject(fault, f"{source.path}:{last + 1}", source.fragment, max_bytes, whole=False)
        yield Chunk([], [cut], last) if mine(end) else None


def _mapped(batch: RecordBatch, to_payload: Callable[[Row | Unmappable], bytes], path: str, max_bytes: int) -> Chunk:
    chunk = Chunk([], [], batch.last)
    for number, row, raw in zip(batch.numbers, batch.rows, batch.raw, strict=True):
        try:
            chunk.accepted.append(to_payload(row))
        except Unmappable as fault:
            chunk.rejected.append(_reject(fault, f"{path}:{number}", raw, max_bytes))
        except Exception as error:  # no row ends the import of the others
            mistake = Unmappable("mapping_error", f"nextclick's reading of it failed, please report: {error!r}")
            chunk.rejected.append(_reject(mistake, f"{path}:{number}", raw, max_bytes))
    return chunk


def _reject(fault: Unmappable, where: str, record: str | bytes | Row, max_bytes: int, whole: bool = True) -> Reject:
    raw = record if isinstance(record, bytes) else text(record).encode("utf-8", "surrogateescape")
    raw = raw.rstrip(b"\r\n")
    kept, whole = raw[:max_bytes], whole and len(raw) <= max_bytes
    try:
        payload = kept.decode("utf-8", "strict" if whole else "ignore")
    except UnicodeDecodeError:  # what is no text cannot be replayed from text
        payload, whole = kept.decode("utf-8", "backslashreplace"), False
    message = f"{where}: {redacted_line(str(fault))}".encode("utf-8", "backslashreplace").decode()
    return Reject(reason=fault.reason, message=message, payload=redacted_line(payload), replayable=whole)
