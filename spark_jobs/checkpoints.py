"""Whether a checkpoint can be believed: its files against the checksums that Hadoop wrote beside them.

Spark writes these sidecars (`.NAME.crc`) and does not look at them again: a flipped digit of an
offset would be taken as it stands, and rows be skipped or read twice.
"""

import zlib
from pathlib import Path
from typing import Final

from nextclick.lake import files

_MAGIC: Final = b"crc\0"


def damaged(checkpoint: str) -> Path | None:
    """A file that is not what was written; None where all are, or have no checksum (a crash came between the two)."""
    for sidecar in sorted(files.folder(checkpoint).rglob(".*.crc")):
        file = sidecar.with_name(sidecar.name.removeprefix(".").removesuffix(".crc"))
        if file.exists() and not _holds(file.read_bytes(), sidecar.read_bytes()):
            return file
    return None


def _holds(content: bytes, sums: bytes) -> bool:
    """Hadoop's ChecksumFileSystem: a magic word, the bytes per sum, then a CRC-32 for each such piece, big-endian."""
    size = int.from_bytes(sums[4:8], "big")
    if sums[:4] != _MAGIC or not size:
        return False
    pieces = (content[at : at + size] for at in range(0, len(content), size))
    return sums[8:] == b"".join(zlib.crc32(piece).to_bytes(4, "big") for piece in pieces)
