"""Profiles in one LMDB environment, shared by the processes of one machine.

    kv/profiles/BOOT/     data.mdb: `profiles` (8 bytes newest action's time, then the profile), `standings` (8 bytes when it
                          was written, then the standing), `segments` (marks), `offsets` (8 bytes each); `began`, a file

Commits are not synced: a killed process loses nothing of them, and after a restart of the
machine, when pages may be torn, BOOT is another folder: profiles, marks and offsets begin empty, and
are made anew from the landing log or Kafka. So a merge costs no fsync, and torn pages are never read.
"""

import os
import shutil
import socket
import struct
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import Any, Final
from weakref import WeakValueDictionary

import lmdb
import msgspec

from nextclick.errors import ModelError
from nextclick.kv.environment import open_environment
from nextclick.kv.profiles.protocol import NONE_MERGED
from nextclick.profile import profile
from nextclick.profile.profile import Action, Profile

_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")
_BEGAN: Final = "began"
"""A file of BOOT, as old as it."""
_NEWEST: Final = struct.Struct(">Q")
_OFFSET: Final = struct.Struct(">Q")
_UPTO: Final = b"\x00upto"
"""Key of the name up to which all segments are merged; sorts before every name."""
_READERS: Final = 512
_environments: WeakValueDictionary[Path, "_Environment"] = WeakValueDictionary()
"""Open ones: LMDB lets a process open an environment only once."""
_guard = threading.Lock()


class LmdbProfiles:
    """The profiles below `folder`; `map_bytes` bounds their size."""

    def __init__(self, folder: Path, map_bytes: int) -> None:
        self._folder = folder
        self._map_bytes = map_bytes
        self._looked_at = {"profiles": b"", "standings": b""}

    @property
    def place(self) -> str:
        """The machine, and the folder on it since it was started."""
        return f"lmdb://{socket.gethostname()}{self._boot.resolve()}"

    @property
    def _boot(self) -> Path:
        return self._folder / (_BOOT.read_text().strip() if _BOOT.exists() else "boot")

    @cached_property
    def _open(self) -> "_Environment":
        boot = self._boot
        with _guard, _translated(self._folder):
            environment = _environments.get(boot)
            if environment is None:
                if not _writable(boot):
                    if not boot.exists():
                        raise _NeverBegun
                    # Who may not write cannot take part in locks; a reader keeps a page for microseconds.
                    environment = _Environment(boot, self._map_bytes, readonly=True, lock=False)
                    _environments[boot] = environment
                    return environment
                boot.mkdir(parents=True, exist_ok=True)
                with suppress(FileExistsError):
                    (boot / _BEGAN).touch(exist_ok=False)
                environment = _environments[boot] = _Environment(boot, self._map_bytes)
                for other in self._folder.iterdir():
                    if other != boot:
                        shutil.rmtree(other, ignore_errors=True)
            return environment

    def get_many(self, keys: Sequence[bytes]) -> list[Profile]:
        try:
            opened = self._open
        except _NeverBegun:
            return [profile.EMPTY for _ in keys]
        with _translated(self._folder), opened.env.begin(db=opened.profiles) as transaction:
            return [_decoded(transaction.get(key)) for key in keys]

    def merge(
        self,
        updates: Mapping[bytes, Sequence[Action]],
        segments: Sequence[str] = (),
        offsets: Mapping[str, int] = NONE_MERGED,
    ) -> dict[bytes, Profile]:
        opened, merged = self._open, dict[bytes, Profile]()
        with _translated(self._folder), opened.env.begin(write=True) as transaction:
            for key, actions in updates.items():
                before = _decoded(transaction.get(key, db=opened.profiles))
                after = merged[key] = profile.merge(before, actions)
                if after is not before:
                    transaction.put(key, _encoded(after), db=opened.profiles)
            for name in segments:
                transaction.put(name.encode(), b"", db=opened.segments)
            for partition, offset in offsets.items():
                transaction.put(partition.encode(), _OFFSET.pack(offset), db=opened.offsets)
        return merged

    def began(self) -> int:
        _ = self._open
        with _translated(self._folder):
            return (self._boot / _BEGAN).stat().st_mtime_ns // 1_000_000

    def standings(self, keys: Sequence[bytes]) -> list[bytes]:
        try:
            opened = self._open
        except _NeverBegun:
            return [b"" for _ in keys]
        with _translated(self._folder), opened.env.begin(db=opened.standings) as transaction:
            return [transaction.get(key, b"")[_NEWEST.size :] for key in keys]

    def replace_standings(self, changes: Mapping[bytes, tuple[bytes, bytes]]) -> list[bytes]:
        opened, other, head = self._open, list[bytes](), _NEWEST.pack(time.time_ns() // 1_000_000)
        with _translated(self._folder), opened.env.begin(write=True, db=opened.standings) as transaction:
            for key, (before, after) in changes.items():
                if transaction.get(key, b"")[_NEWEST.size :] != before:
                    other.append(key)
                elif after:
                    transaction.put(key, head + after)
                else:
                    transaction.delete(key)
        return other

    def merged_offsets(self) -> dict[str, int]:
        opened = self._open
        with _translated(self._folder), opened.env.begin(db=opened.offsets) as transaction:
            return {name.decode(): _OFFSET.unpack(offset)[0] for name, offset in transaction.cursor()}

    def merged_segments(self) -> tuple[str, set[str]]:
        opened = self._open
        with _translated(self._folder), opened.env.begin(db=opened.segments) as transaction:
            upto = transaction.get(_UPTO, b"")
            return upto.decode(), {
                name.decode() for name in transaction.cursor().iternext(values=False) if name != _UPTO
            }

    def settle_segments(self, upto: str) -> None:
        opened = self._open
        with _translated(self._folder), opened.env.begin(write=True, db=opened.segments) as transaction:
            known = transaction.get(_UPTO, b"")
            transaction.put(_UPTO, max(known, upto.encode()))
            cursor = transaction.cursor()
            while cursor.set_range(_UPTO + b"\x00") and cursor.key() <= upto.encode():
                cursor.delete()

    def expire(self, before: int, most: int) -> int:
        self._sweep("standings", self._open.standings, before, most)
        return self._sweep("profiles", self._open.profiles, before, most)

    def _sweep(self, name: str, database: Any, before: int, most: int) -> int:
        opened = self._open
        with _translated(self._folder):
            with opened.env.begin(db=database) as transaction:
                old, self._looked_at[name] = _older(transaction.cursor(), self._looked_at[name], before, most)
            if not old:
                return 0
            with opened.env.begin(write=True, db=database) as transaction:
                # Between the two transactions it may have come back to life.
                dead = [
                    key for key in old if (value := transaction.get(key)) and _NEWEST.unpack_from(value)[0] < before
                ]
                for key in dead:
                    transaction.delete(key)
        return len(dead)


class _NeverBegun(Exception):
    """Nobody has merged a profile yet, and who only reads cannot begin."""


class _Environment:
    def __init__(self, folder: Path, map_bytes: int, **options: bool) -> None:
        self.env = open_environment(
            folder,
            map_size=map_bytes,
            max_dbs=4,
            max_readers=_READERS,
            sync=False,
            metasync=False,
            readahead=False,
            **options,
        )
        if not options:
            self.env.reader_check()  # slots of killed readers, which would keep old pages for ever
        self.profiles = self.env.open_db(b"profiles")
        self.standings = self.env.open_db(b"standings")
        self.segments = self.env.open_db(b"segments")
        self.offsets = self.env.open_db(b"offsets")


def _writable(folder: Path) -> bool:
    """Whether `folder` can be written, or made where it is not there."""
    there = next(place for place in (folder, *folder.parents) if place.exists())
    return os.access(there, os.W_OK)


def _older(cursor: lmdb.Cursor, start: bytes, before: int, most: int) -> tuple[list[bytes], bytes]:
    """Keys of profiles older than `before` among the next `most` from `start`, and where to go on; b"": from the top."""
    old: list[bytes] = []
    if not cursor.set_range(start):
        return old, b""
    for place, (raw, value) in enumerate(cursor):
        key = bytes(raw)
        if place == most:
            return old, key
        if _NEWEST.unpack_from(value)[0] < before:
            old.append(key)
    return old, b""


def _encoded(of: Profile) -> bytes:
    return _NEWEST.pack(of.actions[0].at) + profile.encode(of)


def _decoded(value: bytes | None) -> Profile:
    return profile.EMPTY if value is None else profile.decode(memoryview(value)[_NEWEST.size :])


@contextmanager
def _translated(where: Path) -> Iterator[None]:
    try:
        yield
    except lmdb.MapFullError as error:
        raise ModelError(
            f"The live profiles do not fit into {where}: raise kv.map_gib, or lower live.keep_days."
        ) from error
    except (lmdb.Error, OSError, msgspec.MsgspecError) as error:
        raise ModelError(
            f"The live profiles in {where} cannot be used: {error}. Mend the disk (space, permissions), or stop what "
            "uses them and remove the folder: the collector makes them anew from the landing log or Kafka."
        ) from error
