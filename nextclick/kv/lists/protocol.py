"""What a key-value table of finished lists is, whatever stores it.

A version is built aside by a `Writer`, sealed with its manifest, and made current by
one flip of the pointer. A sealed version never changes, so a `Snapshot` of it cannot
show half an export. Entries are opaque bytes here; packing.py gives them meaning.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Protocol

import msgspec

from nextclick import formats
from nextclick.lake import lists_manifest

Entry = tuple[bytes, bytes]
"""A key and its value."""


class VersionManifest(msgspec.Struct, frozen=True, kw_only=True):
    """What one version was made from and what it holds; stored beside it."""

    format: int = formats.LISTS
    version: int
    """Number of the export, from 1; never used twice."""
    previous: int | None
    """The version that was current when this one was made: where a rollback goes."""
    lists: lists_manifest.ListsManifest
    """What the lists were made from: model, cursor, time."""
    lists_version: int
    """Delta version of gold.recommendations that was read; `lists` names those of the other two."""
    catalogue_version: int | None = None
    """Delta version of silver.items that was read; None where there was none."""
    click_model: str | None = None
    """Version of the click model that went along; None without one."""
    ranker: str | None = None
    """Version of the learned ranker that went along; None without one."""
    predictions_version: int | None = None
    """Delta version of gold.predictions that went along; None without one."""
    models: tuple[str, ...]
    """Model versions that single lists name; a packed list holds an index into them."""
    people: int
    """People with a list of their own."""
    rows: int
    """Items in the lists of all kinds, as many as gold has rows."""
    items: int
    """Item ids in the table of ids."""
    entries: int
    """Keys of the version."""
    digest: str
    """Sum over the entries of `packing.fingerprint`, as 32 hex digits; independent of their order."""
    exported_at: datetime


def decode_manifest(stored: bytes, where: str) -> VersionManifest:
    """A stored manifest; ModelError where a newer nextclick wrote the version."""
    formats.refuse_newer_json(where, stored, formats.LISTS)
    return msgspec.json.decode(stored, type=VersionManifest)


class Pointer(msgspec.Struct, frozen=True):
    """Which version is served."""

    version: int
    newest: int
    """The highest version that was ever served; a sealed one above it never was."""


class Snapshot(Protocol):
    """One sealed version, pinned: what it answers never changes."""

    @property
    def manifest(self) -> VersionManifest: ...

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """The values of `keys` in their order, None where there is none.

        Raises VersionGone if the version was dropped meanwhile: take the next snapshot.
        """
        ...


class Writer(Protocol):
    """A version under construction, which no reader sees."""

    @property
    def version(self) -> int: ...

    def put_many(self, entries: Sequence[Entry]) -> int:
        """Add entries; returns how many of their keys were new. Existing keys may keep either value."""
        ...

    def delete_many(self, keys: Sequence[bytes]) -> None: ...

    def entries(self) -> Iterator[Entry]:
        """Everything that the store holds of this version, read back from it."""
        ...

    def seal(self, manifest: VersionManifest) -> None:
        """Make it durable and complete: from now on it can be pointed at, and never changes."""
        ...

    def abandon(self) -> None:
        """Remove what was written."""
        ...


class ListsTable(Protocol):
    """The versions of one table, and the pointer to the one that is served.

    Errors of the store are ModelError. Writing methods (`begin`, `point`, `drop`) need
    one caller at a time: the caller holds the table's lock.
    """

    def pointer(self) -> Pointer | None: ...

    def current(self) -> VersionManifest | None:
        """The manifest of the version that is served; quick, and nothing else is opened."""
        ...

    def versions(self) -> list[VersionManifest]:
        """Sealed versions, newest first."""
        ...

    def snapshot(self, version: int | None = None) -> Snapshot:
        """The version that is served now, or a named one; cheap while the pointer stays.

        Raises ModelError when there is none.
        """
        ...

    def begin(self, base: int | None = None) -> Writer:
        """Start the next version, empty or as a copy of `base`, after removing the debris of killed ones."""
        ...

    def point(self, pointer: Pointer) -> None:
        """The flip: readers see the old version or the new one, never a mixture."""
        ...

    def drop(self, version: int) -> None:
        """Remove a sealed version that is not current."""
        ...
