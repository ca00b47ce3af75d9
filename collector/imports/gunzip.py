"""Reading gzip so that what stands before a cut still comes out."""

import io
import zlib
from contextlib import suppress
from typing import IO, Any, Final

_BLOCK: Final = 1 << 16


class Gunzip(io.RawIOBase):
    """The unpacked bytes of a gzip file, of several members too; a damaged one ends early and says why.

    The standard library raises at the damage, and what it had unpacked up to there is lost.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._member = zlib.decompressobj(wbits=31)
        self._packed = b""
        self._ready = b""
        self.damage: str | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._ready and self.damage is None and (not self._member.eof or self._next_member()):
            self._ready = self._unpack(len(buffer))
        data, self._ready = self._ready[: len(buffer)], self._ready[len(buffer) :]
        buffer[: len(data)] = data
        return len(data)

    def _unpack(self, size: int) -> bytes:
        packed = self._packed or self._file.read(_BLOCK)
        before = self._member.copy()
        try:
            data = self._member.decompress(packed, size)
        except zlib.error as error:
            self.damage = f"its gzip stream is damaged: {error}"
            return _salvage(before, packed)
        self._packed = self._member.unconsumed_tail
        if not packed and not data:
            self.damage = "its gzip stream is cut in the middle"
        return data

    def _next_member(self) -> bool:
        """Start with the next member, behind zeros that pad the one before; False at the end of the file."""
        packed = self._member.unused_data.lstrip(b"\0")
        while not packed and (more := self._file.read(_BLOCK)):
            packed = more.lstrip(b"\0")
        if packed:
            self._packed, self._member = packed, zlib.decompressobj(wbits=31)
        return bool(packed)


def _salvage(member: Any, packed: bytes) -> bytes:
    """What comes out of a damaged block before the damage: byte by byte, since an error discards its call's output."""
    unpacked = bytearray()
    with suppress(zlib.error):
        for place in range(len(packed)):
            unpacked += member.decompress(packed[place : place + 1])
    return bytes(unpacked)
