"""A request's body: whole, in time, unpacked, and never more of it in memory than its limits allow."""

import asyncio
import zlib
from typing import Any

from collector.exchange import Limits, Refused
from nextclick.settings import Collector

_GZIP = b"\x1f\x8b"


async def read(receive: Any, limits: Collector) -> bytes:
    """The body as it was sent. Refused 413 above body_bytes, 408 after body_seconds; ConnectionError if it was cut."""
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(limits.body_seconds):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ConnectionError("the client closed the connection inside its body")
                part = message.get("body", b"")
                size += len(part)
                if size > limits.body_bytes:
                    raise TooLarge(b"".join(parts), limits.body_bytes)
                parts.append(part)
                if not message.get("more_body", False):
                    return b"".join(parts)
    except TimeoutError:
        raise Refused(
            408, "body_timeout", f"The body did not come within collector.body_seconds = {limits.body_seconds:g}."
        ) from None


class TooLarge(Refused):
    """A body above its limit; `head` is what came before."""

    def __init__(self, head: bytes, limit: int, name: str = "body_bytes") -> None:
        super().__init__(413, "body_too_large", f"The body is larger than collector.{name} = {limit:,}.")
        self.head = head


def unpack(body: bytes, encoding: str, limits: Collector | Limits) -> bytes:
    """The body without its gzip or deflate; gzip is also known by its first bytes, since some trackers do not say so.

    Refused 400 where it is damaged, 413 where it unpacks to more than unpacked_bytes: what is above is never made.
    """
    if not body.startswith(_GZIP) and encoding not in ("gzip", "x-gzip", "deflate"):
        return body
    try:
        unpacker = zlib.decompressobj(47 if body.startswith(_GZIP) or "gzip" in encoding else zlib.MAX_WBITS)
        plain = unpacker.decompress(body, limits.unpacked_bytes + 1)
    except zlib.error as error:
        raise Refused(400, "bad_encoding", f"The body does not unpack: {error}.") from None
    if len(plain) > limits.unpacked_bytes:
        raise TooLarge(b"", limits.unpacked_bytes, "unpacked_bytes")
    if not unpacker.eof:
        raise Refused(400, "bad_encoding", "The packed body ends too early.")
    return plain
