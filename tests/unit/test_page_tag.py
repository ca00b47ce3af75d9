"""The page tag as it is served; what it does stands in tests/e2e/test_page_tag.py."""

import asyncio
import gzip

from collector import page_tag


def test_the_tag_stays_below_5_kb() -> None:
    assert len(page_tag.PACKED) < 5_000
    assert gzip.decompress(page_tag.PACKED) == page_tag.SOURCE


def test_a_browser_gets_the_tag_packed() -> None:
    answer = asyncio.run(page_tag.page({"accept-encoding": "gzip, br"}))
    assert (answer.status, answer.body) == (200, page_tag.PACKED)
    assert answer.content_type == "text/javascript; charset=utf-8"
    assert ("content-encoding", "gzip") in answer.headers
    assert ("cache-control", "public, max-age=3600") in answer.headers


def test_who_does_not_unpack_gets_it_plain() -> None:
    answer = asyncio.run(page_tag.page({}))
    assert answer.body == page_tag.SOURCE
    assert "content-encoding" not in dict(answer.headers)


def test_who_has_this_version_is_told_so() -> None:
    etag = dict(asyncio.run(page_tag.page({})).headers)["etag"]
    answer = asyncio.run(page_tag.page({"if-none-match": etag}))
    assert (answer.status, answer.body) == (304, b"")
