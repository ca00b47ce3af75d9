"""Access logs as an import reads them."""

from collections.abc import Callable, Iterable
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Final

import msgspec

from collector.access_logs.formats import FORMATS, named, recognized
from collector.access_logs.lines import LogLines
from collector.access_logs.requests import RequestMapper
from collector.access_logs.values import Format
from collector.access_logs.visitors import LogVisitors, lake_keys
from collector.imports import files
from collector.imports.cells import Row
from collector.imports.opening import no_text, opened
from collector.request.errors import Unmappable
from collector.request.model import EventLimits
from nextclick.errors import UsageError
from nextclick.settings import Settings

_FILES: Final = ("*access*", "*.log", "*.log.*", "*.log-*", "*.gz", "*.bz2", "*.xz", "*.zst")
_SAMPLE_LINES: Final = 200
_LONGEST_LINE: Final = 1 << 16


class LogReading:
    """Access logs of one site; each file's format is the one that was named, or with `auto` what its first lines are."""

    splits = False

    source: Final = "log"

    def __init__(self, settings: Settings, format: str, site: str) -> None:
        self.site = site
        self._settings = settings
        self._format = None if format == "auto" else named(format)
        self._expected = named(settings.access_logs.format) if settings.access_logs.format else None
        self._known: dict[Path, Format] = {}
        self._mapper: RequestMapper | None = None

    def find(self, paths: Iterable[Path]) -> list[Path]:
        paths = list(paths)
        matches = [path for path in files.find(paths, _FILES) if path in paths or "error" not in path.name]
        for path in matches:
            require_text(path)
            self.format(path)
        return matches

    def format(self, path: Path) -> Format | None:
        """The file's format; None for an empty one. UsageError if nothing fits."""
        if self._format or path in self._known:
            return self._format or self._known[path]
        lines = _first_lines(path)
        format = recognized(lines, self._expected)
        if format:
            self._known[path] = format
        elif any(line.strip() for line in lines):
            raise UsageError(
                f"The first lines of {path} fit no known format of access logs. Name one with --format: {', '.join(FORMATS)}; "
                "give the server's own words, its log_format or LogFormat (docs/access-logs.md); or write a mapping (docs/mappings.md)."
            )
        return format

    def described(self, path: Path) -> str | None:
        """What was recognized, for people."""
        format = self._known.get(path)
        return f"{path}: recognized as {format.name} ({format.doc})" if format else None

    def key(self, path: Path) -> tuple[str, ...]:
        format = self.format(path)
        return "log", format.name if format else "", self.site

    def open(self, path: Path, format: Format | None = None) -> LogLines:
        """The file's lines; `format`: as which, where it is known."""
        chosen = format or self.format(path) or FORMATS["combined"]  # an empty file has no line of any format
        file, stream, packing = opened(path)
        return LogLines(path, file, stream, packing, chosen, self._settings.landing.max_event_bytes)

    def to_payload(self, path: Path) -> Callable[[Row | Unmappable], bytes]:
        if self._mapper is None:  # one for all files: its caches serve them all
            settings = self._settings
            logs = settings.access_logs
            keys = lake_keys(settings.lake, logs.rotate_hours, logs.key_days)
            visitors = LogVisitors(keys, self.site, logs.rotate_hours)
            limits = msgspec.convert(settings.events, EventLimits, from_attributes=True)
            nobody, most = settings.events.nobody_words, settings.landing.max_event_bytes
            self._mapper = RequestMapper(self.site, visitors, logs.base_url, most, nobody, limits)
        return self._mapper


def require_text(path: Path) -> None:
    """UsageError for a file that is no text, whatever its format was said to be: it would be quarantined piece by piece."""
    if what := no_text(_first_lines(path)):
        raise UsageError(f"{path} is {what}." + (" Name files of access logs." if what == "no text" else ""))


def _first_lines(path: Path) -> list[bytes]:
    file, stream, _ = opened(path)
    with closing(file):
        try:
            # A log that was cut while its server wrote begins with zeros.
            lines = (line.lstrip(b"\0") for line in iter(lambda: stream.readline(_LONGEST_LINE), b""))
            return list(islice(filter(bytes.strip, lines), _SAMPLE_LINES))
        except OSError as error:
            raise UsageError(f"{path} cannot be read: {error.strerror}. Name files of access logs.") from error
