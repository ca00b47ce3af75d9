"""Answers that were given already: what was not asked longest makes room. And whose turn it is to make one."""

import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar
from weakref import WeakValueDictionary

T = TypeVar("T")


class AnswerCache(Generic[T]):
    """Answers of at most so many bytes together. Several threads may ask."""

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self.bytes = 0
        self._answers: OrderedDict[Hashable, tuple[T, int]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> T | None:
        with self._lock:
            if key not in self._answers:
                return None
            self._answers.move_to_end(key)
            return self._answers[key][0]

    def put(self, key: Hashable, answer: T, size: int) -> None:
        """Keep an answer of `size` bytes, if it is not larger than all may be."""
        with self._lock:
            if key in self._answers or size > self.most_bytes:
                return
            self._answers[key] = answer, size
            self.bytes += size
            while self.bytes > self.most_bytes:
                self.bytes -= self._answers.popitem(last=False)[1][1]


class Turns:
    """One thread at a time makes an answer that several want; and of all that are made at once there are few."""

    def __init__(self, at_once: int) -> None:
        self.few = threading.BoundedSemaphore(at_once)
        self._turns = WeakValueDictionary[Hashable, threading.Lock]()
        self._lock = threading.Lock()

    def of(self, key: Hashable) -> threading.Lock:
        """The same lock for all who want what is behind the key."""
        with self._lock:
            return self._turns.setdefault(key, threading.Lock())
