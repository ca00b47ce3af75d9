"""Filling one version of the key-value table from gold, and proving that it holds what gold holds."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice, takewhile
from typing import NamedTuple

from nextclick.ctr import CtrModel
from nextclick.errors import NextclickError
from nextclick.kv.lists.packing import (
    LISTS,
    PERSON,
    chunk_key,
    chunks,
    fingerprint,
    history_key,
    list_length,
    person_key,
    prediction_key,
    unpack_ids,
)
from nextclick.kv.lists.protocol import Entry, Snapshot, VersionManifest, Writer
from nextclick.lake import lists_manifest
from nextclick.next_item.ranker import LearnedRanker
from nextclick.profile.predictions import Predictions
from serving.export.gold_lists import EVERYBODY, Disordered, ListsVersion, Packer, count, layouts, read

_BLOCK = 10_000
"""Entries that are read back at a time."""


class Mismatch(NextclickError):
    """The version does not hold what gold holds, or not what was sent to the store."""


@dataclass
class Tally:
    """What a version holds, in numbers that add up while it is written, and again when it is read back."""

    entries: int = 0
    people: int = 0
    rows: int = 0
    """Items in the lists of all kinds."""
    digest: int = 0

    def add(self, entries: Sequence[Entry], sign: int = 1) -> None:
        people = rows = digest = 0
        for key, value in entries:
            people += key[0] == PERSON
            rows += list_length(value) if key[0] in LISTS else 0
            digest += fingerprint(key, value)
        self.entries += sign * len(entries)
        self.people += sign * people
        self.rows += sign * rows
        self.digest = (self.digest + sign * digest) % (1 << 128)


def updates_since(source: ListsVersion, served: VersionManifest) -> list[lists_manifest.ListsManifest]:
    """The updates that made the lists from the served ones; none if it was more than that, or most of the lists."""
    commits = (lists for version, lists in lists_manifest.history(source.lake) if version <= source.version)
    since = list(takewhile(lambda lists: lists != served.lists, commits))
    updates = all(lists.kind == "update" and lists.lists_id == served.lists.lists_id for lists in since)
    return since if updates and 2 * sum(lists.changed for lists in since) <= served.people else []


class Beside(NamedTuple):
    """What goes along with the lists, and makes an export due though they are the same."""

    catalogue: int | None
    """Delta version of silver.items."""
    click_model: CtrModel | None
    predictions: Predictions | None
    ranker: LearnedRanker | None

    @property
    def click_version(self) -> str | None:
        return self.click_model.version if self.click_model else None

    def is_in(self, manifest: VersionManifest) -> bool:
        """Whether a version was made with the same."""
        held = (manifest.catalogue_version, manifest.click_model, manifest.predictions_version, manifest.ranker)
        return held == (self.catalogue, self.click_version, self.predictions_version, self.ranker_version)

    @property
    def ranker_version(self) -> str | None:
        return self.ranker.card.version if self.ranker else None

    @property
    def predictions_version(self) -> int | None:
        return self.predictions.table_version if self.predictions else None


class VersionBuilder:
    """A version being filled: from nothing, or, as a copy of `base`, with what `updates` changed since.

    `beside` gives the entries that are no lists, `histories` those of people, of all or of those whose lists are newer
    than a time, and `foreseen` those of predictions; the first two may number items.
    """

    def __init__(
        self,
        writer: Writer,
        source: ListsVersion,
        beside: Callable[[Packer], list[Entry]],
        histories: Callable[[Packer, datetime | None], Iterator[list[Entry]]],
        foreseen: Callable[[], Iterator[list[Entry]]],
        base: Snapshot | None = None,
        updates: Sequence[lists_manifest.ListsManifest] = (),
        ordered: bool = False,
    ) -> None:
        self.read = self.written = 0
        """Rows taken from gold, and entries sent."""
        self._writer, self._source, self._base, self._ordered = writer, source, base, ordered
        self._beside, self._histories, self._foreseen = beside, histories, foreseen
        self._removed = [
            key(person)
            for update in updates
            for person in update.removed
            for key in (person_key, history_key, prediction_key)
        ]
        self._forgotten: set[bytes] = set()
        if base is None:
            self.packer, self.tally, self._since = Packer(), Tally(), None
        else:
            held = base.manifest
            self.packer, self._since = Packer(_item_ids(base), held.models), held.lists.generated_at
            self.tally = Tally(held.entries, held.people, held.rows, int(held.digest, 16))

    def fill(self, progress: Callable[[int, int], None]) -> None:
        """Send all lists, then prove them. Raises Disordered or Mismatch."""
        total = sum(count(self._source, layout) for layout in layouts(self._source))
        if not count(self._source, EVERYBODY):
            raise Mismatch("gold.popular_items is empty, and unknown people are answered from it.")
        self._forget(self._removed)
        for layout in layouts(self._source):  # the order of their keys, and then the ids, which are known last
            for rows in read(self._source, layout, self._since, self._ordered):
                self._put(self.packer.pack(rows, layout.key))
                self.read += len(rows)
                progress(self.read, total)
        for entries in self._histories(self.packer, self._since):
            self._put(self._changed(entries))
        for entries in self._foreseen():
            self._put(self._changed(entries))
        self._put(self._changed(self._beside(self.packer)))
        self._put(self.packer.ids())
        if self.tally.rows != total:
            raise Mismatch(f"It would hold {self.tally.rows:,} places of lists, where gold has {total:,}.")
        self._read_back()

    def seal(self, previous: int | None, beside: Beside) -> VersionManifest:
        """Make the version durable, with its manifest."""
        manifest = VersionManifest(
            version=self._writer.version,
            previous=previous,
            lists=self._source.lists,
            lists_version=self._source.version,
            catalogue_version=beside.catalogue,
            click_model=beside.click_version,
            predictions_version=beside.predictions_version,
            ranker=beside.ranker_version,
            models=tuple(self.packer.models),
            people=self.tally.people,
            rows=self.tally.rows,
            items=self.packer.item_count,
            entries=self.tally.entries,
            digest=f"{self.tally.digest:032x}",
            exported_at=datetime.now(UTC).replace(microsecond=0),
        )
        self._writer.seal(manifest)
        return manifest

    def _put(self, entries: list[Entry]) -> None:
        if not entries:
            return
        self._forget([key for key, _ in entries])
        if self._writer.put_many(entries) != len(entries):
            raise Disordered("The rows of a list are not together, or there twice.")
        self.tally.add(entries)
        self.written += len(entries)

    def _changed(self, entries: list[Entry]) -> list[Entry]:
        """The entries that the copy of the base does not hold as they are."""
        if self._base is None:
            return entries
        held = self._base.get_many([key for key, _ in entries])
        return [entry for entry, value in zip(entries, held, strict=True) if entry[1] != value]

    def _forget(self, keys: list[bytes]) -> None:
        """Take out what the copy of the base holds under these keys."""
        if self._base is None:
            return
        keys = [key for key in keys if key not in self._forgotten]
        held = [(key, value) for key, value in zip(keys, self._base.get_many(keys), strict=True) if value is not None]
        self._writer.delete_many([key for key, _ in held])
        self.tally.add(held, -1)
        self._forgotten.update(keys)

    def _read_back(self) -> None:
        stored, entries = Tally(), self._writer.entries()
        while block := list(islice(entries, _BLOCK)):
            stored.add(block)
        if stored != self.tally:
            raise Mismatch(f"The store holds {stored}, where {self.tally} was sent.")


def _item_ids(base: Snapshot) -> list[str]:
    """The table of ids of a version, in the order of their numbers."""
    parts = base.get_many([chunk_key(number) for number in chunks(base.manifest.items)])
    if None in parts:
        raise Mismatch(f"Version {base.manifest.version} lacks a part of its item ids.")
    return [item for chunk in parts if chunk is not None for item in unpack_ids(chunk)]
