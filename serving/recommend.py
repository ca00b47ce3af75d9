"""What to show next, from the key-value table: a get or two an answer.

This is the path of every answer, so it imports the kernel alone.
"""

from typing import Literal

import msgspec

from nextclick import kv
from nextclick.errors import ModelError, VersionGone
from nextclick.identity import persons
from nextclick.kv.lists.packing import CHUNK, POPULAR, chunk_key, person_key, similar_key, unpack, unpack_ids
from nextclick.kv.lists.protocol import ListsTable, Snapshot
from nextclick.lake import lists_manifest
from nextclick.settings import Settings

Source = Literal["model", "popular", "similar"]


class ListedItem(msgspec.Struct, frozen=True):
    """One place of a list."""

    rank: int
    item_id: str
    score: float


class ListAnswer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A list, for whom or what it is, and where it comes from."""

    person_id: str | None = None
    item_id: str | None = None
    """Set instead of person_id where the question was what resembles an item."""
    source: Source
    """`popular`: nothing of its own is known about the person or item, so this is what everybody likes."""
    model_version: str
    items: tuple[ListedItem, ...]


class ServedLists:
    """The lists that are served now, as they are stored: no rule is applied (serving/ruled_lists.py does it).

    Keep one a process: it notices a new export by itself.

    The item ids that answers named stay in memory, at most the whole table of ids of the
    version that is served.
    """

    def __init__(self, table: ListsTable) -> None:
        self._table = table
        self._chunks: tuple[Snapshot | None, dict[int, list[str]]] = None, {}

    def of_person(self, person_id: str, n: int) -> ListAnswer:
        """The n best items of the person, else of the anonymous visitor of that id; popular ones where neither has a list."""
        person, (source, model, items) = person_id, self._list(person_key(person_id), "model", n)
        if source == "popular":
            visitor = persons.of_visitor(person_id)
            own = self._list(person_key(visitor), "model", n)
            if own[0] == "model":
                person, (source, model, items) = visitor, own
        return ListAnswer(person_id=person, source=source, model_version=model, items=items)

    def similar_to(self, item_id: str, n: int) -> ListAnswer:
        """The n items that resemble the item most, or the popular ones for an item that no model knows."""
        source, model, items = self._list(similar_key(item_id), "similar", n)
        return ListAnswer(item_id=item_id, source=source, model_version=model, items=items)

    def _list(self, key: bytes, source: Source, n: int) -> tuple[Source, str, tuple[ListedItem, ...]]:
        for _ in range(3):
            snapshot = self._table.snapshot()
            try:
                return self._read(snapshot, key, source, n)
            except VersionGone:  # a reader that was stopped for the time of two exports
                continue
        raise ModelError("The key-value table changes faster than it can be read. Ask again.")

    def _read(
        self, snapshot: Snapshot, key: bytes, source: Source, n: int
    ) -> tuple[Source, str, tuple[ListedItem, ...]]:
        value = snapshot.get_many([key])[0]
        if value is None:
            source, value = "popular", snapshot.get_many([POPULAR])[0]
        if value is None:
            raise _damaged(snapshot, "the popular list")
        model, pairs = unpack(value, n)
        version = snapshot.manifest.models[model]
        ids = self._ids(snapshot, [index for index, _ in pairs])
        items = tuple(
            ListedItem(rank, item, score) for rank, (item, (_, score)) in enumerate(zip(ids, pairs, strict=True), 1)
        )
        return ("popular" if version == lists_manifest.POPULAR else source), version, items

    def _ids(self, snapshot: Snapshot, indices: list[int]) -> list[str]:
        of, chunks = self._chunks
        if of is not snapshot:
            chunks = {}
            self._chunks = snapshot, chunks
        missing = list({index // CHUNK for index in indices} - chunks.keys())
        if missing:
            for number, value in zip(
                missing, snapshot.get_many([chunk_key(number) for number in missing]), strict=True
            ):
                if value is None:
                    raise _damaged(snapshot, f"chunk {number} of the item ids")
                chunks[number] = unpack_ids(value)
        try:
            return [chunks[index // CHUNK][index % CHUNK] for index in indices]
        except IndexError:
            raise _damaged(snapshot, "an item id that a list names") from None


def _damaged(snapshot: Snapshot, what: str) -> ModelError:
    return ModelError(
        f"Version {snapshot.manifest.version} of the key-value table lacks {what}. "
        "Run `nextclick export --full`, or `nextclick rollback`."
    )


def lookup(settings: Settings, person_id: str, n: int) -> ListAnswer:
    """One answer for one person; a program that asks often keeps a `ServedLists`."""
    return ServedLists(kv.open_table(settings)).of_person(person_id, n)


def similar(settings: Settings, item_id: str, n: int) -> ListAnswer:
    """One answer for one item."""
    return ServedLists(kv.open_table(settings)).similar_to(item_id, n)
