"""The files in which the workers of a server count, for Prometheus: room for them is taken before anything is counted."""

import os
from pathlib import Path
from typing import Final

FOLDER: Final = "PROMETHEUS_MULTIPROC_DIR"
"""The variable that names the folder in which they lie."""
_SIZES: Final = {"counter": 256 << 10, "histogram": 128 << 10, "gauge_livesum": 16 << 10, "gauge_mostrecent": 16 << 10}
"""Their bytes, by what prometheus_client calls them; a series takes some 200."""
ROOM: Final = sum(_SIZES.values())
"""Bytes that a worker takes."""


def take_room() -> None:
    """Write the files of this worker; OSError where the disk has no room.

    prometheus_client would make them with nothing in them and map them into memory: on a disk that is full by then, the first
    series of a new page ends the process (SIGBUS).
    """
    folder = os.environ.get(FOLDER)
    for kind, size in _SIZES.items() if folder else ():
        file = Path(f"{folder}/{kind}_{os.getpid()}.db")
        if not file.exists():
            file.write_bytes(bytes(size))
