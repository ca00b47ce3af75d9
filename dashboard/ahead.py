"""Answers of pages before somebody asks: of all as they open when the server starts, then anew of those that people look at."""

import logging
import threading
import time
from collections.abc import Sequence
from typing import Final

import duckdb

from analytics.answers import Reports
from dashboard.address import view
from dashboard.answered import Answers
from dashboard.panels import DashboardPage
from nextclick.errors import NextclickError

_PAUSE_SECONDS: Final = 30.0
"""Between two rounds at least: one of tables that did not move looks at their logs alone."""
_LOOKS_SECONDS: Final = 900.0
"""For so long somebody who asked for a page is taken to look at it."""
_log: Final = logging.getLogger("uvicorn.error")


class AnswersAhead:
    """A thread that asks what pages ask, by their ranges, where the address says nothing more."""

    def __init__(self, reports: Reports, pages: Sequence[DashboardPage], pause: float = _PAUSE_SECONDS) -> None:
        self._reports, self._pages, self._pause = reports, pages, pause
        self._until = {(page.stem, ""): float("inf") for page in pages}
        """Of each page and range: until when it is looked at; at first all pages, with the usual range."""
        self._lock = threading.Lock()
        self._ends, self._wanted = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="answers-ahead", daemon=True)

    def start(self) -> None:
        self._wanted.set()
        self._thread.start()

    def want(self, stem: str, range_: str) -> None:
        """Somebody looks at a page of a range: there is another round after the pause."""
        with self._lock:
            self._until[stem, range_] = time.monotonic() + _LOOKS_SECONDS
        self._wanted.set()

    def stop(self) -> None:
        self._ends.set()
        self._wanted.set()
        self._thread.join(5)

    def _run(self) -> None:
        while self._wanted.wait() and not self._ends.is_set():
            self._wanted.clear()
            self.round()
            self._ends.wait(self._pause)

    def round(self) -> None:
        """Ask once what is looked at; what cannot be read says so to who asks for its page."""
        pages, now = {page.stem: page for page in self._pages}, time.monotonic()
        with self._lock:
            looked_at = [key for key, until in self._until.items() if until > now]
            self._until = {key: until for key, until in self._until.items() if now < until < float("inf")}
        for stem, range_ in looked_at:
            if not self._ends.is_set():
                try:
                    address = view(self._reports, f"/{stem}", (("range", range_),))
                    Answers(self._reports, address, pages[stem].panels)
                except (NextclickError, duckdb.Error, OSError) as error:
                    _log.warning("The answers of %s were not made ahead: %s", stem, error)
