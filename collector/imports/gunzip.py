"""Reading gzip so that what stands before a cut still comes out."""

import io
import zlib
from typing import IO, Any, Final

_BLOCK: Final = 1 << 18


class Gunzip(io.RawIOBase):
    """The unpacked bytes of a gzip file, of several members too; a damaged one ends early and says why.

    The standard library raises at the cut, and readers on top of it drop what they had buffered.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._member = zlib.decompressobj(wbits=31)
        self._packed = b""
        self.damage: str | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._some(len(buffer)) if self.damage is None else b""
        buffer[: len(data)] = data
        return len(data)

    def _some(self, size: int) -> bytes:
        try:
            while not self._member.eof or self._next_member():
                packed = self._packed or self._file.read(_BLOCK)
                data = self._member.decompress(packed, size)
                self._packed = self._member.unconsumed_tail
                if data:
                    return data
                if not packed:
                    self.damage = "its gzip stream is cut in the middle"
                    break
        except zlib.error as error:
            self.damage = f"its gzip stream is damaged: {error}"
        return b""

    def _next_member(self) -> bool:
        """Start with the next member, behind zeros that pad the one before; False at the end of the file."""
        packed = self._member.unused_data.lstrip(b"\0")
        while not packed and (more := self._file.read(_BLOCK)):
            packed = more.lstrip(b"\0")
        self._packed, self._member = packed, zlib.decompressobj(wbits=31)
        return bool(packed)
