"""A Chromium for the tests of this folder, and pages for each of them."""

from collections.abc import Iterator

import pytest

from tests.e2e.browsing import Browser, Open, chromium


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """It ends before tests of other folders begin: while it runs, so does a loop of asyncio, and no other can."""
    with chromium() as running:
        yield running


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Open]:
    """Pages of this test alone."""
    with browser.lending() as opens:
        yield opens
