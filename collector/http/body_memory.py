"""What the bodies of a worker's requests take in memory together, before anybody knows who sends them."""

from collections.abc import Iterator
from contextlib import contextmanager

from collector.request.model import Refused
from nextclick.web.answers import Receive


class BodyMemory:
    """Room for `limit` bytes of bodies that are being read or understood."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._taken = 0

    @contextmanager
    def counting(self, receive: Receive) -> Iterator[Receive]:
        """`receive` of one request, whose body is counted until the context ends. It raises Refused 503 where there is no room."""
        own = 0

        async def counted() -> dict[str, object]:
            nonlocal own
            message = await receive()
            size = len(message.get("body", b""))
            if self._taken + size > self._limit:
                raise Refused(503, "busy", "Too many large bodies come at once: send it again.")
            own += size
            self._taken += size
            return message  # type: ignore[return-value]

        try:
            yield counted
        finally:
            self._taken -= own
