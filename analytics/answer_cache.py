"""Answers that were given already, for as long as their tables stand still: what was not asked longest makes room."""

import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from analytics.answers import Answer

_CELL_BYTES: Final = 64
"""Of one value of a row in memory, about."""


class AnswerCache:
    """Answers by their question, the day and the versions of the tables that were read. Several threads may ask."""

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self.bytes = 0
        self._answers: OrderedDict[Hashable, Answer] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> "Answer | None":
        with self._lock:
            if key in self._answers:
                self._answers.move_to_end(key)
            return self._answers.get(key)

    def put(self, key: Hashable, answer: "Answer") -> None:
        with self._lock:
            if key not in self._answers and _size(answer) <= self.most_bytes:
                self._answers[key] = answer
                self.bytes += _size(answer)
            while self.bytes > self.most_bytes:
                self.bytes -= _size(self._answers.popitem(last=False)[1])


def _size(answer: "Answer") -> int:
    return (len(answer.rows) + len(answer.days) + 1) * len(answer.columns) * _CELL_BYTES
