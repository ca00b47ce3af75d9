"""A request's body: whole, in time, and never more of it in memory than its limits allow."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

from nextclick.settings import ServerSettings
from nextclick.web.answers import Receive, Refused

_AS_IT_IS: Final = ("", "identity", "utf-8", "utf8", "none", "binary", "7bit", "8bit")
"""None of them packs: charsets and the words of e-mails are what people write there, too."""


def packings(encoding: str) -> list[str]:
    """How a Content-Encoding says that a body is packed, in that order (RFC 9110, 8.4); none where it is sent as it is."""
    return [word for part in encoding.split(",") if (word := part.strip().lower()) not in _AS_IT_IS]


class TooLarge(Refused):
    """A body above its limit, which `setting` names; `head` is what came before."""

    def __init__(self, head: bytes, limit: int, setting: str) -> None:
        super().__init__(413, "body_too_large", f"The body is larger than {setting} = {limit:,}.")
        self.head = head


def unlimited(size: int) -> None:
    """Nobody counts what bodies take together."""


class Body:
    """A request's body, and whether all of it came."""

    __slots__ = ("_is_due", "_receive")

    def __init__(self, receive: Receive, headers: Mapping[str, str]) -> None:
        self._receive = receive
        self._is_due = headers.get("content-length", "0") != "0" or "transfer-encoding" in headers

    async def read(self, limits: ServerSettings, section: str, take: Callable[[int], None] = unlimited) -> bytes:
        """The body as it was sent. Refused 413 above body_bytes, 408 after body_seconds; ConnectionError if it was cut.

        `take` is told the size of each part before it is kept, and may refuse it.
        """
        parts: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(limits.body_seconds):
                while True:
                    message = await self._receive()
                    more = message.get("more_body", False)
                    self._is_due = self._is_due and bool(more)
                    part = message.get("body", b"")
                    take(len(part))
                    if message["type"] == "http.disconnect":
                        raise ConnectionError("the client closed the connection inside its body")
                    size += len(part)
                    if size > limits.body_bytes:
                        raise TooLarge(
                            b"".join((*parts, part))[: limits.body_bytes], limits.body_bytes, f"{section}.body_bytes"
                        )
                    parts.append(part)
                    if not more:
                        return b"".join(parts)
        except TimeoutError:
            raise Refused(
                408, "body_timeout", f"The body did not come within {section}.body_seconds = {limits.body_seconds:g}."
            ) from None

    def headers(self) -> tuple[tuple[str, str], ...]:
        """What tells the client of an answer before its body's end that the connection is of no more use."""
        return (("connection", "close"),) if self._is_due else ()
