"""The page tag as it is served; what it does stands in tests/e2e/test_page_tag.py and tests/e2e/test_page_slots.py."""

import asyncio
import gzip
import shutil
import subprocess

import pytest

from collector.page_tag import PAGES, SLOTS, TAG, Script


def test_the_tag_stays_below_5_kb_and_what_fills_slots_below_2() -> None:
    assert (
        len(TAG.packed) < 5_120
    )  # of 1,024 bytes: consent by purpose, the time zone and refunds took the last hundreds
    assert len(SLOTS.packed) < 2_000
    assert gzip.decompress(TAG.packed) == TAG.source


@pytest.mark.parametrize("script", [TAG, SLOTS], ids=list(PAGES))
def test_what_is_served_is_the_code_without_comments_and_begins_with_the_licence(script: Script) -> None:
    first, *lines = script.source.decode().splitlines()
    assert "Apache-2.0" in first
    assert lines
    assert not [line for line in lines if line.startswith((" ", "//")) or " // " in line or not line]
    if node := shutil.which("node"):
        checked = [node, "--input-type=module", "--check"]
        subprocess.run(checked, input=script.source, check=True, capture_output=True)


def test_a_browser_gets_the_tag_packed() -> None:
    answer = asyncio.run(TAG.page({"accept-encoding": "gzip, br"}))
    assert (answer.status, answer.body) == (200, TAG.packed)
    assert answer.content_type == "text/javascript; charset=utf-8"
    assert ("content-encoding", "gzip") in answer.headers
    assert ("cache-control", "public, max-age=3600") in answer.headers


def test_who_does_not_unpack_gets_it_plain() -> None:
    answer = asyncio.run(TAG.page({}))
    assert answer.body == TAG.source
    assert "content-encoding" not in dict(answer.headers)


def test_who_has_this_version_is_told_so() -> None:
    etag = dict(asyncio.run(TAG.page({})).headers)["etag"]
    answer = asyncio.run(TAG.page({"if-none-match": etag}))
    assert (answer.status, answer.body) == (304, b"")
