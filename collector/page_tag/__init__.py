"""The page tag: `n.js`, one script that a page loads from the collector (docs/page-tag.md)."""

import gzip
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Final

from collector.exchange import Answer

PATH: Final = "/n.js"

SOURCE: Final = (Path(__file__).parent / "n.js").read_bytes()
PACKED: Final = gzip.compress(SOURCE, mtime=0)
_ETAG: Final = f'W/"{blake2b(SOURCE, digest_size=8).hexdigest()}"'
_HEADERS: Final = (
    ("cache-control", "public, max-age=3600"),
    ("etag", _ETAG),
    ("vary", "Accept-Encoding"),
    ("x-content-type-options", "nosniff"),
    ("cross-origin-resource-policy", "cross-origin"),  # pages of any site load it, isolated ones too
)


async def page(headers: Mapping[str, str]) -> Answer:
    """The script as a browser asks for it; `headers` have names in lower case. 304 where it has this version."""
    if _ETAG in headers.get("if-none-match", ""):
        return Answer(status=304, content_type="text/javascript; charset=utf-8", headers=_HEADERS)
    packed = "gzip" in headers.get("accept-encoding", "")
    return Answer(
        body=PACKED if packed else SOURCE,
        content_type="text/javascript; charset=utf-8",
        headers=(*_HEADERS, ("content-encoding", "gzip")) if packed else _HEADERS,
    )
