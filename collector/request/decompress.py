"""A request's body without its gzip or deflate, and never more of it in memory than its limits allow."""

import zlib
from typing import Final

from collector.request.model import Refused, RequestLimits
from nextclick.settings import Collector
from nextclick.web.bodies import TooLarge, packings

_GZIP: Final = b"\x1f\x8b"
_PACKED: Final = ("gzip", "x-gzip", "deflate")
_WINDOWS: Final = (zlib.MAX_WBITS | 32, -zlib.MAX_WBITS)
"""With a header of gzip or zlib; without one (raw deflate, which some libraries call deflate)."""
_PIECE: Final = 4096
"""Bytes that are unpacked at once: what lies behind a member is copied, so a body of many tiny ones must not be one piece."""
_STEPS: Final = (b",", b"[", b"{", b"\n")
"""One of them comes before each value of JSON, or each line: cheap to count before anything is read."""
_SMALL: Final = 256 << 10
"""Bytes that any body may unpack to, however little it takes packed."""


def unpack(body: bytes, encoding: str, limits: Collector | RequestLimits) -> bytes:
    """The body without its gzip or deflate; gzip is also known by its first bytes, since some trackers do not say so.

    A gzip body is one member or several (RFC 1952, 2.2), and all of them are read. A text that `encoding`
    calls packed is taken as it is: something on the way had unpacked it. Refused 415 where `encoding` is
    unknown or more than one, 400 where the body is damaged, 413 where it unpacks to more than
    unpacked_bytes, or unpack_ratio times its own size (what is above is never made), or has more than json_values.
    """
    plain = _plain(body, encoding, limits)
    if len(plain) > limits.json_values and sum(map(plain.count, _STEPS)) > limits.json_values:
        raise Refused(413, "too_many_values", f"The body has more than collector.json_values = {limits.json_values:,}.")
    return plain


def _plain(body: bytes, encoding: str, limits: Collector | RequestLimits) -> bytes:
    if not encoding and not body.startswith(_GZIP):
        return body
    named = packings(encoding)
    if len(named) > 1 or not set(named) <= {*_PACKED}:
        known = "gzip or deflate, once, or send the body as it is"
        raise Refused(415, "unknown_encoding", f"Content-Encoding is {encoding[:60]!r}. Pack with {known}.")
    if body.startswith(_GZIP):
        return _unpacked(body, _WINDOWS[0], limits)
    for window in _WINDOWS if named and body else ():
        try:
            return _unpacked(body, window, limits)
        except Refused as refused:
            if refused.status == 413 or (window == _WINDOWS[-1] and not _is_text(body)):
                raise
    return body


def _is_text(body: bytes) -> bool:
    try:
        return "\0" not in body.decode()
    except UnicodeDecodeError:
        return False


def _unpacked(body: bytes, window: int, limits: Collector | RequestLimits) -> bytes:
    limit = min(limits.unpacked_bytes, max(_SMALL, limits.unpack_ratio * len(body)))
    plain, place, unpacker = bytearray(), 0, zlib.decompressobj(window)
    while place < len(body):
        if unpacker.eof:
            if not body.startswith(_GZIP, place):
                if not body[place:].strip(b"\0"):  # what fills the last block of a file
                    break
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
            setting = "unpacked_bytes" if limit == limits.unpacked_bytes else "unpack_ratio times its size"
            raise TooLarge(b"", limit, f"collector.{setting}")
        place += len(piece) - len(unpacker.unused_data)
    if not unpacker.eof:
        raise Refused(400, "bad_encoding", "The packed body ends too early.")
    return bytes(plain)
