"""All formats of access logs, and which of them a file has."""

from collections.abc import Sequence
from typing import Final

from collector.access_logs.envelopes import content
from collector.access_logs.formats import common, haproxy, json_objects, load_balancers, storage, w3c
from collector.access_logs.values import Format, decoded
from collector.request.errors import Unmappable

FORMATS: Final[dict[str, Format]] = {
    format.name: format
    for module in (common, json_objects, w3c, load_balancers, haproxy, storage)
    for format in module.FORMATS
}  # fmt: skip
_ALIASES: Final = {"iis": "w3c", "nginx": "combined", "apache": "combined"}
NAMES: Final = ("auto", *FORMATS, *_ALIASES)


def named(name: str) -> Format:
    return FORMATS[_ALIASES.get(name, name)]


def recognized(lines: Sequence[bytes]) -> Format | None:
    """The format that reads most of these first lines of a file, and at least half of them; None if none does."""
    texts = [content(decoded(line).rstrip("\r\n")) for line in lines if line.strip()]
    read = {format.name: _read(format, texts) for format in FORMATS.values()}
    best = max(read, key=lambda name: read[name])
    records = sum(not text.startswith("#") for text in texts)
    return FORMATS[best] if read[best] and 2 * read[best] >= records else None


def _read(format: Format, lines: list[str]) -> int:
    """How many of the lines are requests of the format."""
    reader, count = format.reader(), 0
    for line in lines:
        try:
            count += reader(line) is not None
        except (Unmappable, ValueError):
            continue
    return count
