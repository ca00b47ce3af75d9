"""Answers of pages before somebody asks: of all in the ranges that they link when the server starts, then anew where people look."""

import logging
import threading
import time
from collections.abc import Sequence
from typing import Final

import duckdb

from analytics.answers import Reports
from dashboard.address import view
from dashboard.answered import Answers
from dashboard.panels import DashboardPage, Part
from dashboard.parts import KEPT, PARTS
from nextclick.errors import NextclickError
from nextclick.settings import Settings

_PAUSE_SECONDS: Final = 30.0
"""Between two rounds at least: one of tables that did not move looks at their logs alone."""
_LOOKS_SECONDS: Final = 900.0
"""For so long somebody who asked for a page is taken to look at it."""
_FIRST: Final = ("", "7d", "90d")
"""Ranges of the start, in this order: the usual one comes first. A year's answers would fill the memory for who may never ask."""
_QUICK_SECONDS: Final = 0.2
"""A page that costs less of the processor in its usual range is not counted ahead in others: who asks for them hardly waits."""
_log: Final = logging.getLogger("uvicorn.error")


class AnswersAhead:
    """A thread that asks what pages ask, by their ranges, where the address says nothing more."""

    def __init__(
        self,
        settings: Settings,
        reports: Reports,
        pages: Sequence[DashboardPage],
        pause: float = _PAUSE_SECONDS,
        quick: float = _QUICK_SECONDS,
    ) -> None:
        self._settings, self._reports, self._pause, self._quick = settings, reports, pause, quick
        self._pages = {page.stem: page for page in pages}
        self._until = {(page.stem, range_): float("inf") for range_ in _FIRST for page in pages}
        """Of each page and range: until when it is looked at."""
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
        now, quick = time.monotonic(), set[str]()
        with self._lock:
            looked_at = {key: until for key, until in self._until.items() if until > now}
            self._until = {key: until for key, until in looked_at.items() if until < float("inf")}
        for (stem, range_), until in looked_at.items():
            if self._ends.is_set() or (stem in quick and until == float("inf")):
                continue
            began = time.process_time()
            try:
                self._ask(self._pages[stem], range_)
            except (NextclickError, duckdb.Error, OSError) as error:
                _log.warning("The answers of %s were not made ahead: %s", stem, error)
            if time.process_time() - began < self._quick:
                quick.add(stem)

    def _ask(self, page: DashboardPage, range_: str) -> None:
        address = view(self._reports, f"/{page.stem}", (("range", range_),))
        Answers(self._reports, address, page.panels)
        for block in page.blocks:
            if isinstance(block, Part) and block.name in KEPT:
                PARTS[block.name](self._settings, self._reports, address)
