"""What a request was: a page that somebody looked at, or something else. Each is kept; only pages count as views."""

import re
from functools import lru_cache
from typing import Final

from crawleruseragents import is_crawler

_STATIC: Final = re.compile(
    r"(?i).*\.("
    r"css|js|mjs|map|json|xml|rss|atom|wasm|class|png|jpg|jpeg|jpe|gif|ico|svg|webp|avif|bmp|tif|tiff|"
    r"xbm|woff|woff2|ttf|otf|eot|mp3|mp4|m4a|m4v|webm|ogg|ogv|oga|wav|mpg|mpeg|avi|mov|flv|swf|m3u8|"
    r"pdf|zip|gz|tgz|bz2|xz|7z|rar|tar|jar|exe|msi|dmg|iso|deb|rpm|apk|bin|webmanifest"
    r")"
)
_STATIC_FILES: Final = ("/robots.txt", "/ads.txt", "/humans.txt")
_DATA: Final = re.compile(r"/(api|graphql|wp-json|\.well-known|_next/data|socket\.io)(/|$)")
_HTML: Final = ("text/html", "application/xhtml")


def label(method: str | None, status: int | None, path: str, content_type: str | None, agent: str | None) -> str:
    """`bot`, `error` (status from 400, none sent, or no request at all), `not_get`, `redirect`, `static`, `data` or `page`.

    `data` is what scripts ask for. A log without a status (None) tells of no error, and one without methods of no other than GET.
    """
    if agent and is_bot(agent):
        return "bot"
    status = 200 if status is None else status
    if not (method or path) or status >= 400 or status < 200:
        return "error"
    if method and method.upper() != "GET":
        return "not_get"
    if 300 <= status < 400 and status != 304:
        return "redirect"
    if content_type:
        kind = content_type.strip().lower()
        return "page" if kind.startswith(_HTML) else "data" if "json" in kind else "static"
    return _by_path(path)


@lru_cache(1 << 14)
def is_bot(agent: str) -> bool:
    """Whether the list of crawler-user-agents has it; asked once a distinct agent."""
    return bool(is_crawler(agent))


def _by_path(path: str) -> str:
    name = path.rpartition("/")[2].partition(";")[0]
    if _STATIC.fullmatch(name) or path in _STATIC_FILES:
        return "static"
    return "data" if _DATA.match(path) else "page"
