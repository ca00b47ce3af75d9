"""Whose turn it is, where the queries of `nextclick stream` share a few cores.

Planned at the same time, their batches take as long as all of them together. So a batch waits for its turn: what people look
at while it fills goes before what can wait.

Spark says what is in a query's next batch as soon as the one before has ended. So who has had a turn lets the next have one
before it goes on: else its next batch would wait as well, without what the others bring meanwhile.
"""

import itertools
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager


class Stopped(Exception):
    """Raised in the place of a turn, when nobody shall begin any more."""


class BatchTurns:
    """Lets `at_once` batches work; of those that wait, the first by `order`, then the one that has waited longest."""

    def __init__(self, order: Sequence[str], at_once: int = 1) -> None:
        """`order`: jobs that go first, in this order; all others come after them and are equal."""
        self._order, self._at_once = order, at_once
        self._working: set[tuple[int, int]] = set()
        self.stopped = False
        self._numbers = itertools.count()
        self._waiting: list[tuple[int, int]] = []
        self._changed = threading.Condition()

    @contextmanager
    def turn(self, job: str) -> Iterator[None]:
        """Wait for a turn of `job`, which ends with the block, and then for that of who is next; Stopped where none will come."""
        place = self._order.index(job) if job in self._order else len(self._order)
        with self._changed:
            ticket = place, next(self._numbers)
            self._waiting.append(ticket)
            self._changed.wait_for(lambda: self.stopped or (self._is_free() and ticket == min(self._waiting)))
            self._waiting.remove(ticket)
            if self.stopped:
                self._changed.notify_all()
                raise Stopped
            self._working.add(ticket)
            self._changed.notify_all()  # another may be free for the next
        try:
            yield
        finally:
            with self._changed:
                self._working.remove(ticket)
                self._changed.notify_all()
                if self._waiting:
                    following = min(self._waiting)
                    self._changed.wait_for(lambda: following not in self._working and following not in self._waiting)

    def _is_free(self) -> bool:
        return len(self._working) < self._at_once

    def stop(self, seconds: float) -> None:
        """Let nobody begin, and those that work end: return when they have, or after so long."""
        with self._changed:
            self.stopped = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self._working, seconds)
