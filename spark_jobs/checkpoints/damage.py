"""Whether a checkpoint can be believed, by the checksums that Hadoop wrote beside its files; and what it says of a lake that moved.

Spark writes these sidecars (`.NAME.crc`) and does not look at them again: a flipped digit of an
offset would be taken as it stands, and rows be skipped or read twice.
"""

import json
import zlib
from pathlib import Path
from typing import Final

from nextclick.errors import LakeError
from nextclick.lake import files
from nextclick.object_store import bucket

_MAGIC: Final = b"crc\0"
_PIECE: Final = 512
"""Bytes that one of our sums is of, as Hadoop chooses them."""


def damaged(checkpoint: str) -> Path | None:
    """A file that is not what was written; None where all are, or have no checksum (a crash came between the two).

    A file that a kill left half written beside them, under a name of its own (`.1.….tmp`), is read by nobody.
    In an object store there are none: the store checks what it keeps itself.
    """
    if bucket.holds(checkpoint):
        return None
    for sidecar in sorted(Path(checkpoint).rglob(".*.crc")):
        file = sidecar.with_name(sidecar.name.removeprefix(".").removesuffix(".crc"))
        if not file.name.startswith(".") and file.exists() and not _holds(file.read_bytes(), sidecar.read_bytes()):
            return file
    return None


def _holds(content: bytes, sums: bytes) -> bool:
    """Hadoop's ChecksumFileSystem: a magic word, the bytes per sum, then a CRC-32 for each such piece, big-endian."""
    size = int.from_bytes(sums[4:8], "big")
    if sums[:4] != _MAGIC or not size:
        return False
    pieces = (content[at : at + size] for at in range(0, len(content), size))
    return sums[8:] == b"".join(zlib.crc32(piece).to_bytes(4, "big") for piece in pieces)


def follow(checkpoint: str, root: Path, place: str) -> None:
    """Name the segments that were read by where they lie now, below `root`; a lake that stayed where it was is left alone.

    Spark knows a segment by its whole address and would read a moved one once more; `place` is that of `root` as Spark writes
    it. LakeError, and nothing is written, where a segment is not below `root`. A crash in between leaves the rest to the next call.
    """
    logs, moved = f"{checkpoint}/sources/0", {}
    for name in (name for name in files.names(logs) if name[0].isdigit()):
        version, *lines = (files.read(f"{logs}/{name}") or b"").splitlines()
        entries = [json.loads(line) for line in lines]
        inside = ["/".join(entry["path"].split("/")[-2:]) for entry in entries]  # such as landing/NAME.log
        there = [entry | {"path": f"{place}/{segment}"} for entry, segment in zip(entries, inside, strict=True)]
        if there == entries:
            continue
        if absent := [segment for segment in inside if not (root / segment).exists()]:
            raise LakeError(
                f"The lake was moved, and {len(absent)} segments that were read are not in {root}, such as {absent[0]}. "
                "Bring them there, or run `nextclick rebuild bronze`, which reads what is there."
            )
        texts = (json.dumps(entry, ensure_ascii=False, separators=(",", ":")).encode() for entry in there)
        moved[name] = b"\n".join([version, *texts])
    for name, content in moved.items():
        sidecar = f"{logs}/.{name}.crc"
        files.remove(sidecar)  # a file without its checksum is believed, one with another is not
        files.write(f"{logs}/{name}", content)
        files.write(sidecar, _sums(content))


def _sums(content: bytes) -> bytes:
    """What Hadoop writes beside a file, for `_holds`."""
    pieces = (content[at : at + _PIECE] for at in range(0, len(content), _PIECE))
    return _MAGIC + _PIECE.to_bytes(4, "big") + b"".join(zlib.crc32(piece).to_bytes(4, "big") for piece in pieces)
