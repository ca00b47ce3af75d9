"""Answers of the pages as they open, made before somebody asks: when the server starts, and anew while people look."""

import logging
import threading
from collections.abc import Sequence
from typing import Final

from analytics.answers import Reports
from dashboard.address import view
from dashboard.answered import Answers
from dashboard.panels import DashboardPage
from nextclick.errors import NextclickError

_PAUSE_SECONDS: Final = 30.0
"""Between two rounds at least: one of tables that did not move looks at their logs alone."""
_log: Final = logging.getLogger("uvicorn.error")


class AnswersAhead:
    """A thread that asks what each page asks where the address says nothing more."""

    def __init__(self, reports: Reports, pages: Sequence[DashboardPage], pause: float = _PAUSE_SECONDS) -> None:
        self._reports, self._pages, self._pause = reports, pages, pause
        self._ends, self._wanted = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="answers-ahead", daemon=True)

    def start(self) -> None:
        self._wanted.set()
        self._thread.start()

    def want(self) -> None:
        """Somebody looks: there is another round after the pause."""
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
        """Ask all pages once; what cannot be read says so to who asks for its page."""
        for page in self._pages:
            if not self._ends.is_set():
                try:
                    Answers(self._reports, view(self._reports, f"/{page.stem}", ()), page.panels)
                except (NextclickError, OSError) as error:
                    _log.warning("The answers of %s were not made ahead: %s", page.stem, error)
