"""The landing log: the durable, embedded log of accepted events. This half reads it.

A log is a folder of immutable segments (`lake/landing`; `lake/quarantine` holds rejects in
the same form). A segment is bytes, one line a record:

    CCCCCCCC POSITION RECEIVED_MS SOURCE PAYLOAD\\n

CRC-32 (8 hex digits) of everything after the first space up to the newline; 0-based number
of the line in its segment; milliseconds since 1970-01-01 UTC at acceptance; who sent it (no
spaces); JSON. A segment's name is `STAMP-RANDOM-LINES.log`: names sort in order of creation,
no name is used twice, and LINES tells a file that was cut at the end of a line. Whatever is
still being written lives in a hidden folder (nextclick/landing/writer.py).
"""

import io
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import NamedTuple
from zlib import crc32

from nextclick.errors import LakeError
from nextclick.lake import files
from nextclick.lake.paths import Lake
from nextclick.object_store import bucket

_NAME = re.compile(r"(?P<stamp>\d{8}T\d{12})-[0-9a-f]{8}-(?P<lines>\d+)\.log")
_FRAME = re.compile(rb"[0-9a-f]{8} (0|[1-9]\d*) (0|[1-9]\d*) ([^ ]+) (.*)", re.DOTALL)


class Segment(NamedTuple):
    """One published segment of a log."""

    address: str
    """A path, or that of an object."""
    lines: int
    """How many lines it was published with, as its name says."""
    bytes: int
    at: float
    """When it was published there, in seconds since 1970-01-01 UTC."""

    @property
    def name(self) -> str:
        return PurePosixPath(self.address).name

    @property
    def path(self) -> Path:
        """Of one on a disk."""
        return Path(self.address)


class SegmentLine(NamedTuple):
    """One line of a segment; of a damaged one only the payload, the whole line, is there."""

    payload: bytes
    position: int | None = None
    received_at: int | None = None
    """Milliseconds since 1970-01-01 UTC."""
    source: str | None = None

    @property
    def intact(self) -> bool:
        return self.position is not None


class SegmentContent(NamedTuple):
    """What a segment holds, line by line checked against its CRCs and its name."""

    intact: int
    damaged: int
    missing: int
    """Lines that the name promises and the file lacks."""

    @property
    def sound(self) -> bool:
        return not (self.damaged or self.missing)


def parse(line: bytes) -> SegmentLine:
    """A line without its newline, checked; whatever does not hold comes back as a damaged line."""
    match = _FRAME.fullmatch(line)
    if match is None or int(line[:8], 16) != crc32(line[9:]):
        return SegmentLine(line)
    position, received_at, source, payload = match.groups()
    return SegmentLine(payload, int(position), int(received_at), source.decode("utf-8", "replace"))


def segments(folder: Path | str) -> list[Segment]:
    """The published segments of a log in order of creation; a log that was never written has none."""
    if bucket.holds(str(folder)):
        listed = [one for one in bucket.listed(str(folder)) if is_segment(PurePosixPath(one.address).name)]
        return [
            Segment(one.address, promised_lines(PurePosixPath(one.address).name), one.bytes, one.at) for one in listed
        ]
    published = []
    try:
        for path in sorted(path for path in Path(folder).iterdir() if is_segment(path.name)):
            with suppress(FileNotFoundError):  # it was shipped just now
                stat = path.stat()
                published.append(Segment(str(path), promised_lines(path.name), stat.st_size, stat.st_mtime))
        return published
    except FileNotFoundError:
        return []
    except OSError as error:
        raise LakeError(f"The log {folder} cannot be listed: {error.strerror}. Mend the lake's permissions.") from error


def everywhere(lake: Lake, log: str) -> dict[str, Segment]:
    """The segments of `landing` or `quarantine` by their names: of this machine, its outbox included, and where they are shipped to."""
    folders = dict.fromkeys((f"{lake.outbox}/{log}", f"{lake.root}/{log}", lake.log(log)))
    return {segment.name: segment for folder in folders for segment in segments(folder)}


def is_segment(name: str) -> bool:
    """Whether a file of this name is a published segment."""
    return _NAME.fullmatch(name) is not None


def promised_lines(name: str) -> int:
    """The number of lines with which the segment `name` was published."""
    match = _NAME.fullmatch(name)
    if match is None:
        raise LakeError(f"{name} is not the name of a segment: STAMP-RANDOM-LINES.log.")
    return int(match["lines"])


def read_segment(path: Path | str) -> Iterator[SegmentLine]:
    """The lines of a segment, damaged ones included; a torn last line is a damaged one."""
    if bucket.holds(str(path)):
        content = files.read(str(path))
        if content is None:
            raise LakeError(f"The segment {path} cannot be read: it is not there.")
        yield from _parsed(io.BytesIO(content))
        return
    try:
        with Path(path).open("rb") as file:
            yield from _parsed(file)
    except OSError as error:
        raise LakeError(f"The segment {path} cannot be read: {error.strerror}.") from error


def _parsed(lines: Iterable[bytes]) -> Iterator[SegmentLine]:
    for line in lines:
        yield parse(line[:-1]) if line.endswith(b"\n") else SegmentLine(line)


def check_segment(path: Path) -> SegmentContent:
    """Read a published segment whole; every truncation and every flipped bit shows."""
    intact = damaged = 0
    before = -1
    for line in read_segment(path):
        if line.position is not None and line.position > before:
            intact, before = intact + 1, line.position
        else:
            damaged += 1
    return SegmentContent(intact, damaged, max(0, promised_lines(path.name) - intact - damaged))
