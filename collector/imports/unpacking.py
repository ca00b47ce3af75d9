"""Reading packed files so that what stands before a cut or a damage still comes out; their bytes tell, not their names."""

import bz2
import io
import lzma
import re
import zlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import IO, Any, Final, Protocol

_BLOCK: Final = 1 << 16
_BITE: Final = 1 << 12
"""Packed bytes that bzip2 and xz take at once: what a damaged one would have given is lost."""
_XZ_MEMORY: Final = 256 << 20
"""Bytes that unpacking xz may take; `xz -9` wants a quarter of them."""
_PACKINGS: Final[Mapping[str, re.Pattern[bytes]]] = {
    "gzip": re.compile(rb"\x1f\x8b(?:\x08|\Z)"),
    "bzip2": re.compile(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)"),
    "xz": re.compile(rb"\xfd7zXZ\0"),
    "zstd": re.compile(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18"),  # a frame, or one to be skipped
}


class Unpacked(io.RawIOBase):
    """The unpacked bytes of a file, of several members too; a damaged one ends early and says why."""

    damage: str | None = None

    def readable(self) -> bool:
        return True


def unpacked(file: io.BufferedReader) -> Unpacked | None:
    """What unpacks the file; None for one that is not packed, or not in a way that is known."""
    head = file.peek(_BLOCK)[:16]
    name = next((name for name, magic in _PACKINGS.items() if magic.match(head)), None)
    return _READERS[name](file) if name else None


class _Member(Protocol):
    """One of the packed streams that a file holds one behind the other, as bz2 and lzma have them."""

    @property
    def eof(self) -> bool: ...

    @property
    def needs_input(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


class _Gzip:
    """zlib's decompressor with the ways of the others. The module gzip would lose what it unpacked before a damage."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(wbits=31)

    @property
    def eof(self) -> bool:
        return bool(self._stream.eof)

    @property
    def needs_input(self) -> bool:
        return not self._stream.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return bytes(self._stream.unused_data)

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        before, data = self._stream.copy(), self._stream.unconsumed_tail + data
        try:
            return bytes(self._stream.decompress(data, max_length))
        except zlib.error as error:
            raise _Damage(str(error), _salvage(before, data)) from None


class _Damage(Exception):
    def __init__(self, message: str, rest: bytes = b"") -> None:
        super().__init__(message)
        self.rest = rest
        """What comes out before the damage."""


class _Members(Unpacked):
    def __init__(self, file: IO[bytes], name: str, member: Callable[[], _Member], bite: int) -> None:
        self._file, self._name, self._new, self._bite = file, name, member, bite
        self._member = member()
        self._packed = b""
        self._ready = b""

    def readinto(self, buffer: Any) -> int:
        while not self._ready and self.damage is None and (not self._member.eof or self._next_member()):
            self._ready = self._unpack(len(buffer))
        data, self._ready = self._ready[: len(buffer)], self._ready[len(buffer) :]
        buffer[: len(data)] = data
        return len(data)

    def _unpack(self, size: int) -> bytes:
        wants = self._member.needs_input
        packed = (self._packed or self._file.read(self._bite)) if wants else b""
        if wants:
            self._packed = b""
        try:
            data = self._member.decompress(packed, size)
        except (_Damage, OSError, EOFError, ValueError, lzma.LZMAError) as error:
            self.damage = f"its {self._name} stream is damaged: {error}"
            return error.rest if isinstance(error, _Damage) else b""
        if wants and not packed and not data and not self._member.eof:
            self.damage = f"its {self._name} stream is cut in the middle"
        return data

    def _next_member(self) -> bool:
        """Start with the next member, behind zeros that pad the one before; False at the end of the file."""
        packed = (self._member.unused_data + self._packed).lstrip(b"\0")
        while not packed and (more := self._file.read(self._bite)):
            packed = more.lstrip(b"\0")
        if packed:
            self._packed, self._member = packed, self._new()
        return bool(packed)


class _Zstd(Unpacked):
    """By pyarrow, which is there for Parquet; Python has zstd from 3.14 on."""

    def __init__(self, file: IO[bytes]) -> None:
        import pyarrow as pa  # takes 0.2 s that the other forms do without

        self._stream = pa.CompressedInputStream(pa.PythonFile(file, mode="r"), "zstd")

    def readinto(self, buffer: Any) -> int:
        if self.damage is not None:
            return 0
        try:
            data = self._stream.read(len(buffer))
        except (OSError, ValueError) as error:
            self.damage = f"its zstd stream is cut or damaged: {error}"
            return 0
        buffer[: len(data)] = data
        return len(data)


def _salvage(member: Any, packed: bytes) -> bytes:
    """What comes out of a damaged block before the damage: byte by byte, since an error discards its call's output."""
    rest = bytearray()
    with suppress(zlib.error):
        for place in range(len(packed)):
            rest += member.decompress(packed[place : place + 1])
    return bytes(rest)


_READERS: Final[Mapping[str, Callable[[IO[bytes]], Unpacked]]] = {
    "gzip": lambda file: _Members(file, "gzip", _Gzip, _BLOCK),
    "bzip2": lambda file: _Members(file, "bzip2", bz2.BZ2Decompressor, _BITE),
    "xz": lambda file: _Members(file, "xz", lambda: lzma.LZMADecompressor(memlimit=_XZ_MEMORY), _BITE),
    "zstd": _Zstd,
}
