"""Versions as LMDB environments, one folder each, and a pointer file.

    kv/recommendations/CURRENT        {"version": 7, "newest": 7}, replaced atomically, fsynced
    kv/recommendations/7/             data.mdb, manifest.json: sealed, never written again
    kv/recommendations/.8/            under construction, or being removed

Since a sealed version is immutable, readers need no LMDB lock and no reader table: they
may be on a read-only mount, come and go, or be killed. A reader that still holds a
dropped version keeps its pages until it lets go, since unlinked files live that long.
"""

import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property, partial
from pathlib import Path
from typing import TypeVar
from weakref import WeakValueDictionary

import lmdb
import msgspec

from nextclick.errors import ModelError, VersionGone
from nextclick.kv.environment import open_environment
from nextclick.kv.lists.protocol import Entry, Pointer, Snapshot, VersionManifest, Writer, decode_manifest

_DATA, _MANIFEST = "data.mdb", "manifest.json"
Stored = TypeVar("Stored", bound=msgspec.Struct)
_environments: WeakValueDictionary[tuple[int, int], lmdb.Environment] = WeakValueDictionary()
"""Open environments by device and inode: LMDB lets a process open one only once."""
_guard = threading.Lock()


class LmdbTable:
    """The versions of a table below `folder`; `map_bytes` bounds the size of one of them."""

    def __init__(self, folder: Path, map_bytes: int) -> None:
        self._folder = folder
        self._pointer_file = str(folder / "CURRENT")
        self._map_bytes = map_bytes
        self._seen: tuple[tuple[int, int], Snapshot] | None = None

    def pointer(self) -> Pointer | None:
        return _read(Path(self._pointer_file), partial(msgspec.json.decode, type=Pointer))

    def current(self) -> VersionManifest | None:
        for _ in range(3):  # between the two reads, two exports may pass and drop the version
            pointer = self.pointer()
            if pointer is None:
                return None
            if manifest := self._manifest(pointer.version):
                return manifest
        raise ModelError(f"The current version {pointer} is not in {self._folder}. Run `nextclick export --full`.")

    def versions(self) -> list[VersionManifest]:
        numbers = (int(path.name) for path in self._folder.glob("[0-9]*") if path.name.isdigit())
        manifests = (self._manifest(number) for number in sorted(numbers, reverse=True))
        return [manifest for manifest in manifests if manifest]

    def snapshot(self, version: int | None = None) -> Snapshot:
        if version is not None:
            manifest = self._manifest(version)
            if not manifest:
                raise ModelError(f"There is no version {version} in {self._folder}.")
            return _LmdbSnapshot(self._folder / str(version), manifest)
        mark = self._mark()
        if not self._seen or self._seen[0] != mark:
            self._seen = mark, self._open_current()
        return self._seen[1]

    def _mark(self) -> tuple[int, int]:
        """Changes with every flip; one stat."""
        try:
            stat = os.stat(self._pointer_file)
        except OSError as error:
            raise ModelError(
                f"There are no lists in {self._folder} yet. `nextclick run` makes them, or `nextclick export` "
                "where gold.recommendations is there."
            ) from error
        return stat.st_ino, stat.st_mtime_ns

    def _open_current(self) -> Snapshot:
        for _ in range(3):  # as in `current`
            manifest = self.current()
            assert manifest is not None  # there was a pointer to stat
            with suppress(VersionGone):
                return _LmdbSnapshot(self._folder / str(manifest.version), manifest)
        raise ModelError(f"The current version of {self._folder} cannot be opened. Run `nextclick export --full`.")

    def begin(self, base: int | None = None) -> Writer:
        with _translated(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
            for debris in self._folder.glob(".*"):
                _remove(debris)
            version = 1 + max((manifest.version for manifest in self.versions()), default=0)
            version = max(version, 1 + (pointer.newest if (pointer := self.pointer()) else 0))
            building = self._folder / f".{version}"
            building.mkdir()
            if base is not None:
                _environment(self._folder / str(base)).copy(str(building), compact=True)
        return _LmdbWriter(self._folder, version, self._map_bytes)

    def point(self, pointer: Pointer) -> None:
        with _translated(self._folder):
            _replace(Path(self._pointer_file), msgspec.json.encode(pointer))

    def drop(self, version: int) -> None:
        hidden = self._folder / f".{version}"
        with _translated(self._folder):
            (self._folder / str(version)).rename(hidden)
            _remove(hidden)

    def _manifest(self, version: int) -> VersionManifest | None:
        path = self._folder / str(version) / _MANIFEST
        return _read(path, partial(decode_manifest, where=str(path)))


class _LmdbSnapshot:
    def __init__(self, folder: Path, manifest: VersionManifest) -> None:
        self.manifest = manifest
        self._environment = _environment(folder)

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        with self._environment.begin() as transaction:
            return [transaction.get(key) for key in keys]


class _LmdbWriter:
    def __init__(self, table: Path, version: int, map_bytes: int) -> None:
        self.version = version
        self._table = table
        self._folder = table / f".{version}"
        self._map_bytes = map_bytes

    @cached_property
    def _environment(self) -> lmdb.Environment:
        # Nobody reads it before it is sealed, so it is made durable once, there, and needs no lock.
        return lmdb.open(str(self._folder), map_size=self._map_bytes, sync=False, metasync=False, lock=False)

    def put_many(self, entries: Sequence[Entry]) -> int:
        ordered = sorted(entries)
        with self._writing() as transaction, transaction.cursor() as cursor:
            # Appending skips the search and fills every page: 4 times as fast as random order, and half the size.
            in_order = bool(ordered) and (not cursor.last() or bytes(cursor.key()) < ordered[0][0])
            _, added = cursor.putmulti(ordered, overwrite=False, append=in_order)
        return int(added)

    def delete_many(self, keys: Sequence[bytes]) -> None:
        with self._writing() as transaction:
            for key in keys:
                transaction.delete(key)

    def entries(self) -> Iterator[Entry]:
        with _translated(self._folder), self._environment.begin() as transaction, transaction.cursor() as cursor:
            yield from cursor

    def seal(self, manifest: VersionManifest) -> None:
        with _translated(self._folder):
            self._environment.sync(True)
            self._environment.close()
            _replace(self._folder / _MANIFEST, msgspec.json.encode(manifest))
            self._folder.rename(self._table / str(self.version))
            _sync_folder(self._table)

    def abandon(self) -> None:
        with _translated(self._folder):
            self._environment.close()
            _remove(self._folder)

    @contextmanager
    def _writing(self) -> Iterator[lmdb.Transaction]:
        with _translated(self._folder), self._environment.begin(write=True) as transaction:
            yield transaction


def _environment(folder: Path) -> lmdb.Environment:
    with _guard:
        try:
            stat = os.stat(folder / _DATA)
            identity = stat.st_dev, stat.st_ino
            environment = _environments.get(identity)
            if environment is None:
                environment = open_environment(folder, readonly=True, lock=False, create=False, readahead=False)
                _environments[identity] = environment
            return environment
        except (OSError, lmdb.Error) as error:
            if not folder.exists():
                raise VersionGone(f"{folder} was dropped before it could be opened.") from error
            raise ModelError(f"{folder / _DATA} cannot be opened: {error}. Run `nextclick export --full`.") from error


@contextmanager
def _translated(where: Path) -> Iterator[None]:
    try:
        yield
    except lmdb.MapFullError as error:
        raise ModelError(
            f"The lists do not fit into {where}: raise kv.map_gib in conf/. The old ones are served."
        ) from error
    except (lmdb.Error, OSError) as error:
        raise ModelError(
            f"The key-value table {where} cannot be written: {error}. The lists before are still served; "
            "mend it (disk space, permissions), then run `nextclick export`."
        ) from error


def _read(path: Path, decode: Callable[[bytes], Stored]) -> Stored | None:
    try:
        return decode(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, msgspec.MsgspecError) as error:
        raise ModelError(f"{path} cannot be read: {error}. Remove it, then run `nextclick export --full`.") from error


def _replace(path: Path, content: bytes) -> None:
    """Replace a file durably; its time of modification always grows, since readers tell a flip by it."""
    aside = path.with_name(f".{path.name}")
    with open(aside, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    if path.exists():
        os.utime(aside, ns=(0, max(time.time_ns(), path.stat().st_mtime_ns + 1)))
    aside.replace(path)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
