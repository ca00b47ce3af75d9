"""A request's body without its gzip or deflate, and never more of it in memory than its limits allow."""

import zlib

from collector.request.model import Refused, RequestLimits
from nextclick.settings import Collector
from nextclick.web.bodies import TooLarge

_GZIP = b"\x1f\x8b"
_PIECE = 4096
"""Bytes that are unpacked at once: what lies behind a member is copied, so a body of many tiny ones must not be one piece."""


def unpack(body: bytes, encoding: str, limits: Collector | RequestLimits) -> bytes:
    """The body without its gzip or deflate; gzip is also known by its first bytes, since some trackers do not say so.

    A gzip body is one member or several (RFC 1952, 2.2), and all of them are read. Refused 400 where
    it is damaged, 413 where it unpacks to more than unpacked_bytes: what is above is never made.
    """
    if body.startswith(_GZIP):
        return _unpacked(body, 47, limits.unpacked_bytes)
    if encoding in ("gzip", "x-gzip", "deflate"):
        return _unpacked(body, 47 if "gzip" in encoding else zlib.MAX_WBITS, limits.unpacked_bytes)
    return body


def _unpacked(body: bytes, window: int, limit: int) -> bytes:
    plain, place, unpacker = bytearray(), 0, zlib.decompressobj(window)
    while place < len(body):
        if unpacker.eof:
            if not body.startswith(_GZIP, place):
                raise Refused(
                    400, "bad_encoding", f"After {place:,} bytes, behind the packed body, lies something else."
                )
            unpacker = zlib.decompressobj(window)
        piece = body[place : place + _PIECE]
        try:
            plain += unpacker.decompress(piece, limit + 1 - len(plain))
        except zlib.error as error:
            raise Refused(400, "bad_encoding", f"The body does not unpack: {error}.") from None
        if len(plain) > limit:
            raise TooLarge(b"", limit, "collector.unpacked_bytes")
        place += len(piece) - len(unpacker.unused_data)
    if not unpacker.eof:
        raise Refused(400, "bad_encoding", "The packed body ends too early.")
    return bytes(plain)
