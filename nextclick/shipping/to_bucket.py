"""Published segments of this machine → objects of the same names in the lake's bucket, where bronze reads them.

A put is conditional. Who was killed between the put and its reply, or whose reply was lost, is refused the next time and finds its
own content; who finds another's, which two machines would have to draw the same moment and the same 32 bits for, takes
another name first.
"""

import os
import secrets
from pathlib import Path

from nextclick.errors import LakeError
from nextclick.landing.reader import Segment
from nextclick.landing.segment import sync_folder
from nextclick.object_store import bucket


def put(segment: Segment, folder: str) -> Path:
    """Bring the segment into `folder` of the bucket, once; where it lies here by then."""
    path = segment.path
    content = path.read_bytes()
    while not _put(f"{folder}/{path.name}", content):
        path = _renamed(path)
    return path


def _put(address: str, content: bytes) -> bool:
    """Whether the object holds `content`; False where it holds another's."""
    try:
        bucket.put_new(address, content)
    except bucket.ConditionFailed:
        there = bucket.get(address)
        if there is None:
            raise LakeError(
                f"{address} was there and is gone. Nothing was removed here; look at who empties the bucket."
            ) from None
        return there.content == content
    return True


def _renamed(path: Path) -> Path:
    stamp, _, lines = path.stem.split("-")
    other = path.with_name(f"{stamp}-{secrets.token_hex(4)}-{lines}.log")
    os.rename(path, other)
    sync_folder(path.parent)
    return other
