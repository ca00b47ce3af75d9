"""The lines of one access log, as requests; also of one that still grows."""

import os
from collections.abc import Iterator
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import IO, Final

from collector.access_logs.envelopes import content
from collector.access_logs.values import Format, decoded
from collector.imports.cells import Row
from collector.imports.journal import Mark
from collector.imports.source import LineSource, RecordBatch
from collector.imports.unpacking import Unpacked
from collector.request.errors import Unmappable

_REMEMBERED: Final = 500_000
_HEAD: Final = 1024
_BOM: Final = b"\xef\xbb\xbf"


class LogLines(LineSource):
    """A file of lines in one format; while it is `growing`, a line without its end is left for later."""

    def __init__(
        self, path: Path, file: IO[bytes], stream: IO[bytes], unpacked: Unpacked | None, format: Format, max_bytes: int
    ) -> None:
        super().__init__(path, file, unpacked)
        self.format = format
        self.growing = False
        self.last = 0
        """Lines read so far."""
        self.head = b""
        """The first bytes that were read."""
        self._stream, self._max_bytes = stream, max_bytes
        self._read = format.reader()
        self._equal = _EqualLines()
        self._first, self._all = "", blake2b(digest_size=16)

    @property
    def is_packed(self) -> bool:
        """Whether it is packed, so that it does not grow."""
        return self._unpacked is not None

    def fileno(self) -> int:
        return self._file.fileno()

    def batches(self, after: int, size: int) -> Iterator[RecordBatch]:
        """Of a growing file: what is there by now; call again for more."""
        lines = self._bounded(self._readline, (b"\n",))
        for line in islice(lines, max(0, after - self.last)):
            self._skip(line)
        while some := list(islice(lines, size)):
            yield self._batch(some)

    def mark(self, follower: str) -> Mark:
        """What was read so far."""
        changed = os.fstat(self.fileno()).st_mtime_ns
        return Mark(
            follower=follower, format=self.format.name, first=self._first, all=self._all.hexdigest(), changed=changed
        )

    def is_at(self, last: int, mark: Mark) -> bool:
        """Whether the file's first `last` lines are those of the mark; they are read by this."""
        if not self.begins_as(mark):
            return False
        for line in islice(self._bounded(self._readline, (b"\n",)), last - self.last):
            self._skip(line)
        return self.last == last and self._all.hexdigest() == mark.all

    def begins_as(self, mark: Mark) -> bool:
        """Whether the file's first line is that of the mark; it is read by this."""
        for line in islice(self._bounded(self._readline, (b"\n",)), 1 - self.last):
            self._skip(line)
        return self._first == mark.first

    def _readline(self, limit: int) -> bytes:
        line = self._stream.readline(limit)
        if self.growing and line and len(line) < limit and not line.endswith(b"\n"):
            self._stream.seek(-len(line), 1)
            return b""
        if len(self.head) < _HEAD:
            self.head += line[:_HEAD]
        return line

    def _batch(self, lines: list[bytes]) -> RecordBatch:
        start = self.last
        parsed = [(number, *self._row(line)) for number, line in enumerate(lines, start + 1)]
        kept = [(number, row, text) for number, row, text in parsed if row is not None]
        return RecordBatch(
            [number for number, _, _ in kept], [row for _, row, _ in kept], [text for *_, text in kept], self.last
        )

    def _skip(self, line: bytes) -> None:
        self._count(line)
        if line.startswith((b"#", _BOM)) or b"#Fields:" in line:  # a header counts for what comes after it
            self._row_of(_text(line))

    def _row(self, line: bytes) -> tuple[Row | Unmappable | None, str]:
        nth, text = self._count(line), _text(line)
        row = self._row_of(text)
        if isinstance(row, dict):
            row["line"], row["nth"] = text, nth
        return row, text

    def _row_of(self, text: str) -> Row | Unmappable | None:
        if not text or text.isspace():
            return None
        if len(text) > self._max_bytes:
            return Unmappable("too_large", f"the line is longer than landing.max_event_bytes = {self._max_bytes:,}")
        if "\r" in text:  # servers escape it within a line
            return Unmappable("malformed_line", "a line ends with LF or CR LF, and here stands CR alone")
        try:
            return self._read(content(text))
        except Unmappable as fault:
            return fault
        except (ValueError, TypeError, KeyError, OverflowError) as error:
            return Unmappable("malformed_line", f"the line is not of the format {self.format.name}: {error}")

    def _count(self, line: bytes) -> int:
        """Take the line into account; how many lines equal to it the file had so far."""
        bare = line.rstrip(b"\r\n")
        self._first = self._first or blake2b(bare, digest_size=16).hexdigest()
        self._all.update(b"%b\n" % bare)
        self.last += 1
        return self._equal.count(bare)


def _text(line: bytes) -> str:
    """Without the zeros with which a log begins that was cut while its server wrote."""
    return decoded(line.removeprefix(_BOM).lstrip(b"\0")).rstrip("\r\n")


class _EqualLines:
    """How often a line was there. It forgets lines of long ago: equal ones so far apart bear different times."""

    def __init__(self) -> None:
        self._now: dict[int, int] = {}
        self._before: dict[int, int] = {}

    def count(self, line: bytes) -> int:
        """1 for the first line of its kind; what was forgotten depends on the file's content alone."""
        key = hash(line)
        count = (self._now.get(key) or self._before.get(key, 0)) + 1
        if len(self._now) >= _REMEMBERED:
            self._before, self._now = self._now, {}
        self._now[key] = count
        return count
