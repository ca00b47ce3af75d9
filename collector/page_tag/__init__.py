"""The page tag: `n.js`, one script that a page loads from the collector, and `n-slots.js`, which it loads where a page has slots.

They are served without their comments and indentation (docs/page-tag.md).
"""

import gzip
import re
from collections.abc import Awaitable, Callable, Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Final

from nextclick.web.answers import HttpAnswer

_TYPE: Final = "text/javascript; charset=utf-8"
_HEADERS: Final = (
    ("cache-control", "public, max-age=3600"),
    ("vary", "Accept-Encoding"),
    ("x-content-type-options", "nosniff"),
    ("cross-origin-resource-policy", "cross-origin"),  # pages of any site load it, isolated ones too
)


class Script:
    """One script, as browsers get it."""

    def __init__(self, name: str) -> None:
        self.path = f"/{name}"
        self.source = _bare((Path(__file__).parent / name).read_text(encoding="utf-8")).encode()
        self.packed = gzip.compress(self.source, mtime=0)
        self._etag = f'W/"{blake2b(self.source, digest_size=8).hexdigest()}"'

    async def page(self, headers: Mapping[str, str]) -> HttpAnswer:
        """The script as a browser asks for it; `headers` have names in lower case. 304 where it has this version."""
        shared = (*_HEADERS, ("etag", self._etag))
        if self._etag in headers.get("if-none-match", ""):
            return HttpAnswer(status=304, content_type=_TYPE, headers=shared)
        if "gzip" in headers.get("accept-encoding", ""):
            return HttpAnswer(body=self.packed, content_type=_TYPE, headers=(*shared, ("content-encoding", "gzip")))
        return HttpAnswer(body=self.source, content_type=_TYPE, headers=shared)


def _bare(source: str) -> str:
    """The first line, which names the licence, then the code without comments and indentation.

    Line by line: the scripts keep to comments of one line, and to no text that spans lines or holds ` // `.
    """
    first, *lines = source.splitlines()
    code = (re.sub(r"(^|\s)//\s.*$", "", line).strip() for line in lines)
    return "\n".join([first, *filter(None, code)])


TAG: Final = Script("n.js")
SLOTS: Final = Script("n-slots.js")
PAGES: Final[Mapping[str, Callable[[Mapping[str, str]], Awaitable[HttpAnswer]]]] = {
    script.path: script.page for script in (TAG, SLOTS)
}
