"""What the bodies of a worker's requests take in memory together, before anybody knows who sends them."""

from collections.abc import MutableMapping
from typing import Any, Self

from collector.request.model import Refused
from nextclick.web.answers import Receive


class BodyMemory:
    """Room for `limit` bytes of bodies that are being read or understood."""

    def __init__(self, limit: int) -> None:
        self.left = limit

    def counting(self, receive: Receive) -> "CountedBody":
        """`receive` of one request, as a context in which its body is counted."""
        return CountedBody(self, receive)


class CountedBody:
    """Receives the parts of one body. Refused 503 where there is no room for another one."""

    __slots__ = ("_memory", "_receive", "_taken")

    def __init__(self, memory: BodyMemory, receive: Receive) -> None:
        self._memory = memory
        self._receive = receive
        self._taken = 0

    async def __call__(self) -> MutableMapping[str, Any]:
        message = await self._receive()
        size = len(message.get("body", b""))
        if size > self._memory.left:
            raise Refused(503, "busy", "Too many large bodies come at once: send it again.")
        self._memory.left -= size
        self._taken += size
        return message

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._memory.left += self._taken
