"""All formats of access logs, and which of them a file has."""

from collections.abc import Sequence
from operator import itemgetter
from typing import Final

from collector.access_logs.envelopes import content
from collector.access_logs.formats import (
    common,
    haproxy,
    json_objects,
    load_balancers,
    logfmt,
    ltsv,
    own_words,
    programs,
    proxies,
    storage,
    w3c,
)
from collector.access_logs.values import Format, decoded
from collector.request.errors import Unmappable
from nextclick.errors import UsageError

FORMATS: Final[dict[str, Format]] = {
    format.name: format
    for module in (common, json_objects, ltsv, logfmt, w3c, load_balancers, haproxy, proxies, programs, storage, own_words)
    for format in module.FORMATS
}  # fmt: skip
_ALIASES: Final = {"iis": "w3c", "nginx": "combined", "apache": "combined", "json": "nginx_json"}
_HEADERS: Final = ("#", '"time_micros"')
"""What lines begin with that are no requests, in files of W3C's formats and of Google Cloud Storage."""
NAMES: Final = ("auto", *FORMATS, *_ALIASES)


def named(name: str) -> Format:
    """The format of a name, or the one that a server's own words describe; UsageError if it is neither."""
    format = FORMATS.get(_ALIASES.get(name, name)) or w3c.own_fields(name) or own_words.own_words(name)
    if format is None:
        raise UsageError(
            f"{name!r} is no format of access logs. Name one: {', '.join(NAMES)}; or give the server's own words: "
            "nginx's log_format, Apache's LogFormat or a #Fields: line (docs/access-logs.md)."
        )
    return format


def recognized(lines: Sequence[bytes], expected: Format | None = None) -> Format | None:
    """The format that reads most of these first lines of a file, and at least half of those that are not its own without
    being requests; None if none does.

    If the one that is `expected` does, it is that.
    """
    texts = [content(decoded(line).rstrip("\r\n")) for line in lines if line.strip()]
    for formats in ((expected,) if expected else (), tuple(FORMATS.values())):
        read = ((*_read(format, texts), format) for format in formats)
        requests, unread, best = max(read, key=itemgetter(0), default=(0, 0, None))
        if requests and requests >= unread:
            return best
    return None


def _read(format: Format, lines: list[str]) -> tuple[int, int]:
    """How many of the lines are requests of the format, and how many it cannot read."""
    reader, requests, unread = format.reader(), 0, 0
    for line in lines:
        try:
            requests += reader(line) is not None
        except (Unmappable, ValueError):
            unread += not line.startswith(_HEADERS)
    return requests, unread
