"""Pages before somebody asks: all in the ranges that they link when the server starts, then anew where people look."""

import logging
import threading
import time
from collections.abc import Sequence
from typing import Final

import duckdb

from dashboard.address import view
from dashboard.panels import DashboardPage
from dashboard.rendering import PageRenderer
from nextclick.errors import NextclickError

_PAUSE_SECONDS: Final = 30.0
"""Between two rounds at least: one of tables that did not move looks at their logs alone."""
_LOOKS_SECONDS: Final = 900.0
"""For so long somebody who asked for a page is taken to look at it."""
_FIRST: Final = ("", "7d", "90d")
"""Ranges of the start, in this order: the usual one comes first. A year's answers would fill the memory for who may never ask."""
_log: Final = logging.getLogger("uvicorn.error")


class PagesAhead:
    """A thread that makes those that have panels, by their ranges, where the address says nothing more."""

    def __init__(self, renderer: PageRenderer, pages: Sequence[DashboardPage], pause: float = _PAUSE_SECONDS) -> None:
        self._renderer, self._pause = renderer, pause
        self._pages = {page.stem: page for page in pages if page.panels}
        self._until = {(stem, range_): float("inf") for range_ in _FIRST for stem in self._pages}
        """Of each page and range: until when it is looked at."""
        self._lock = threading.Lock()
        self._ends, self._wanted = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="pages-ahead", daemon=True)

    def start(self) -> None:
        self._wanted.set()
        self._thread.start()

    def want(self, stem: str, range_: str) -> None:
        """Somebody looks at a page of a range: there is another round after the pause."""
        if stem in self._pages:
            with self._lock:
                self._until[stem, range_] = time.monotonic() + _LOOKS_SECONDS
            self._wanted.set()

    def stop(self) -> None:
        self._ends.set()
        self._wanted.set()
        self._thread.join(5)

    def _run(self) -> None:
        self._renderer.compile()
        while self._wanted.wait() and not self._ends.is_set():
            self._wanted.clear()
            self.round()
            self._ends.wait(self._pause)

    def round(self) -> None:
        """Make once what is looked at; what cannot be read says so to who asks for its page."""
        now = time.monotonic()
        with self._lock:
            looked_at = {key: until for key, until in self._until.items() if until > now}
            self._until = {key: until for key, until in looked_at.items() if until < float("inf")}
        for stem, range_ in looked_at:
            if self._ends.is_set():
                return
            try:
                address = view(self._renderer.reports, f"/{stem}", (("range", range_),))
                self._renderer.page(self._pages[stem], address)
            except (NextclickError, duckdb.Error, OSError) as error:
                _log.warning("The page %s was not made ahead: %s", stem, error)
            except Exception:  # a mistake of ours must not end the thread
                _log.exception("The page %s was not made ahead", stem)
