"""What the bodies of a worker's requests take in memory together, before anybody knows who sends them."""

from typing import Self

from collector.request.model import Refused


class BodyMemory:
    """Room for `limit` bytes of bodies that are being read or understood."""

    def __init__(self, limit: int) -> None:
        self.left = limit

    def counting(self) -> "BodyRoom":
        """The room of one request, as a context in which its body is counted."""
        return BodyRoom(self)


class BodyRoom:
    """What the body of one request takes."""

    __slots__ = ("_memory", "_taken")

    def __init__(self, memory: BodyMemory) -> None:
        self._memory = memory
        self._taken = 0

    def take(self, size: int) -> None:
        """Count a part of the body. Refused 503 where there is no room for another one."""
        if size > self._memory.left:
            raise Refused(503, "busy", "Too many large bodies come at once: send it again.")
        self._memory.left -= size
        self._taken += size

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._memory.left += self._taken
