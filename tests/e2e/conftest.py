"""A Chromium for the tests of a file, and pages for each of them."""

from collections.abc import Iterator

import pytest

from tests.e2e.browsing import Browser, Open, chromium


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Open]:
    """Pages of this test alone."""
    with browser.lending() as opens:
        yield opens
