"""The index that is served now, kept up to date by a thread, so that no request waits for an export to be read."""

import gc
import logging
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from nextclick.errors import NextclickError
from nextclick.kv.lists.protocol import ListsTable
from serving.index import index
from serving.index.index import ServingIndex
from serving.index.session_answers import SessionModels

_log: Final = logging.getLogger("_granian.serving")
_SWITCH_SECONDS: Final = 0.0005
"""How long an export that is read may hold up an answer; Python's own 5 ms is more than a whole one."""
_USUAL_SECONDS: Final = sys.getswitchinterval()


class IndexRefresher:
    """Looks every `seconds` whether the pointer has flipped; the old index is whole until the new one is read.

    `also` is called after each look.
    """

    def __init__(
        self,
        table: ListsTable,
        seconds: float,
        also: Callable[[], None] = lambda: None,
        sessions: SessionModels | None = None,
    ) -> None:
        self._table = table
        self._sessions = sessions
        self._also = also
        self._seconds = seconds
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="refresher", daemon=True)
        self.current: ServingIndex | None = None
        """What to answer from; None before the first export."""
        self._prepared: int | None = None
        """The version that is."""
        self.reachable = False
        """Whether the last look found the store."""

    def start(self) -> None:
        """Read the version that is served, if there is one, and follow from then on."""
        self.look()
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()
        gc.unfreeze()

    def look(self) -> None:
        """Take the version that is served now; what cannot be read leaves the index before."""
        try:
            pointer = self._table.pointer()
            self.reachable = True
            if pointer and (self.current is None or self.current.version != pointer.version):
                self.current = index.load(self._table.snapshot(), self._sessions)
        except NextclickError as error:
            if self.reachable or self.current is None:
                _log.warning("The lists cannot be read now: %s", error)
            self.reachable = False
        except Exception:  # a mistake of ours must not end the following
            _log.exception("The newest lists cannot be taken up; those before are used on")

    def _follow(self) -> None:
        with _short_turns():
            self._try(self._prepare, "The index of suggestions cannot be made now; the first use makes it")
        while not self._stopped.wait(self._seconds):
            with _short_turns():
                self.look()
                self._try(self._also, "What goes with a look at the lists failed; the next look tries again")
                self._try(self._prepare, "The index of suggestions cannot be made now; the first use makes it")

    def _prepare(self) -> None:
        """Make what is made after the first use; then let no collection walk through what lives as long as a version.

        One of all objects takes 40 ms, in which no answer is made.
        """
        index = self.current
        if index and index.version != self._prepared:
            index.suggestions.prepare()
            gc.freeze()
            self._prepared = index.version

    def _try(self, act: Callable[[], None], otherwise: str) -> None:
        try:
            act()
        except Exception:  # nor may one here end the following
            _log.exception(otherwise)


@contextmanager
def _short_turns() -> Iterator[None]:
    """Threads take turns quickly as long as this one works. At other times the request that comes next, which waits for the interpreter
    as well, would but interrupt the answer that is being made."""
    sys.setswitchinterval(_SWITCH_SECONDS)
    try:
        yield
    finally:
        sys.setswitchinterval(_USUAL_SECONDS)
