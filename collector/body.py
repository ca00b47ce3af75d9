"""A request's body without its gzip or deflate, and never more of it in memory than its limits allow."""

import zlib

from collector.exchange import Limits, Refused
from nextclick.settings import Collector
from nextclick.web.bodies import TooLarge

_GZIP = b"\x1f\x8b"


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
        raise TooLarge(b"", limits.unpacked_bytes, "collector.unpacked_bytes")
    if not unpacker.eof:
        raise Refused(400, "bad_encoding", "The packed body ends too early.")
    return plain
