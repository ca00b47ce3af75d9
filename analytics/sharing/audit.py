"""Who read what: a line of JSON for each request of a recipient, in a file a month. No token, signature or value is in it."""

import os
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec

from nextclick.lake import files
from nextclick.lake.paths import Lake


class SharedRead(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A request that a recipient made."""

    at: datetime
    recipient: str
    what: str
    """list, version, metadata, query or file."""
    status: int
    """Of HTTP: 200, or why it was refused."""
    share: str = ""
    table: str = ""
    version: int | None = None
    files: int | None = None
    """Handed out as links, or sent: their number, rows and bytes."""
    rows: int | None = None
    bytes: int | None = None
    file: str = ""
    """Name of the file that was sent."""
    reason: str = ""


class Audit:
    """The reads of a lake's shares, oldest first."""

    def __init__(self, lake: Lake, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._folder, self._now = lake.state / "share_reads", now
        self._lock = threading.Lock()

    def add(self, **facts: Any) -> None:
        """Put a read on record before it is answered; OSError where that is impossible."""
        read = SharedRead(at=self._now(), **facts)
        with self._lock:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
            descriptor = os.open(self._folder / f"{read.at:%Y-%m}.jsonl", flags, 0o600)
            with open(descriptor, "ab", buffering=0) as file:
                file.write(msgspec.json.encode(read) + b"\n")

    def reads(self) -> Iterator[SharedRead]:
        """A line that was cut by a crash is left out."""
        for name in files.names(str(self._folder)):
            for line in (files.read(str(self._folder / name)) or b"").splitlines():
                try:
                    yield msgspec.json.decode(line, type=SharedRead)
                except msgspec.DecodeError:
                    continue
