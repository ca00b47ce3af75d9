"""Pages that were made a moment ago, for others who ask the same: fifty people at once cost what one does."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

_SECONDS: Final = 2.0
_MOST: Final = 64


class _RecentPage:
    """A page, or the place where one is about to be."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.at = float("-inf")
        self.text = ""


class RecentPages:
    """Texts by address, each as old as two seconds at most; who asks while one is made waits for it."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._pages: OrderedDict[str, _RecentPage] = OrderedDict()

    def get(self, address: str, make: Callable[[], str]) -> str:
        """The text of an address; an error of `make` is for who asked, and keeps nothing."""
        with self._lock:
            page = self._pages.setdefault(address, _RecentPage())
            self._pages.move_to_end(address)
            while len(self._pages) > _MOST:
                self._pages.popitem(last=False)
        with page.lock:
            if self._now() - page.at > _SECONDS:
                page.text, page.at = make(), self._now()
            return page.text
