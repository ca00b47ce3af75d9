"""Answers from a table in memory: which list, in which order, and what is said about it."""

import subprocess
import sys
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from nextclick.errors import ModelError, VersionGone
from nextclick.kv.lists import packing
from nextclick.lake import lists_manifest
from serving.recommend import ListedItem, ServedLists

ITEMS = [f"item-{number}" for number in range(300)]


def packed(*pairs: tuple[int, float], model: int = 0) -> bytes:
    body = b"".join(packing.PAIRS[packing.SHORT].pack(*pair) for pair in pairs)
    return packing.HEADER.pack(packing.SHORT, model) + body


class Memory:
    """A table of one version; counts the gets."""

    def __init__(self, entries: dict[bytes, bytes], version: int = 1) -> None:
        self.manifest = SimpleNamespace(version=version, models=("12", lists_manifest.POPULAR))
        self._entries = dict(packing.pack_ids(ITEMS)) | entries
        self.asked: list[bytes] = []

    def snapshot(self) -> "Memory":
        return self

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        self.asked += keys
        return [self._entries.get(key) for key in keys]


def lists(table: Any) -> ServedLists:
    return ServedLists(table)


@pytest.fixture
def table() -> Memory:
    return Memory(
        {
            packing.person_key("ann"): packed((2, 0.5), (299, 0.25)),
            packing.person_key("bob"): packed((7, 3.0), model=1),
            packing.person_key("visitor:zoe"): packed((4, 1.0)),
            packing.person_key("visitor:ann"): packed((5, 1.0)),
            packing.similar_key("item-2"): packed((3, 0.75)),
            packing.POPULAR: packed((0, 9.0), (1, 8.0), model=0),
        }
    )


def test_a_known_person_gets_their_own_list_with_ranks_from_one(table: Memory) -> None:
    answer = lists(table).of_person("ann", 10)
    assert (answer.person_id, answer.source, answer.model_version) == ("ann", "model", "12")
    assert answer.items == (ListedItem(1, "item-2", 0.5), ListedItem(2, "item-299", 0.25))


def test_n_cuts_the_list_and_asks_for_no_more_ids_than_needed(table: Memory) -> None:
    assert [item.item_id for item in lists(table).of_person("ann", 1).items] == ["item-2"]
    assert table.asked == [packing.person_key("ann"), packing.chunk_key(0)]


def test_item_ids_are_fetched_once_a_version(table: Memory) -> None:
    served = lists(table)
    served.of_person("ann", 10)
    served.of_person("ann", 10)
    assert table.asked.count(packing.chunk_key(0)) == 1


def test_an_id_of_no_user_is_a_visitors(table: Memory) -> None:
    for asked in ("zoe", "visitor:zoe"):
        answer = lists(table).of_person(asked, 1)
        assert (answer.person_id, answer.source, answer.items[0].item_id) == ("visitor:zoe", "model", "item-4")


def test_an_unknown_person_gets_the_popular_list_and_is_told_so(table: Memory) -> None:
    answer = lists(table).of_person("tim", 1)
    assert (answer.source, answer.items) == ("popular", (ListedItem(1, "item-0", 9.0),))


def test_a_list_that_no_personal_model_made_is_called_popular(table: Memory) -> None:
    answer = lists(table).of_person("bob", 10)
    assert (answer.source, answer.model_version) == ("popular", lists_manifest.POPULAR)


def test_similar_items_and_the_popular_list_for_an_unknown_item(table: Memory) -> None:
    assert lists(table).similar_to("item-2", 5).source == "similar"
    unknown = lists(table).similar_to("item-9", 5)
    assert (unknown.item_id, unknown.source) == ("item-9", "popular")


@pytest.mark.parametrize("lost", [packing.POPULAR, packing.chunk_key(0)])
def test_a_version_that_lacks_a_part_says_which_and_what_to_do(table: Memory, lost: bytes) -> None:
    del table._entries[lost]
    with pytest.raises(ModelError, match=r"lacks .*nextclick export --full"):
        lists(table).of_person("tim", 1)


def test_an_answer_is_asked_again_of_the_next_version_when_its_own_was_dropped(table: Memory) -> None:
    class Gone(Memory):
        def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
            raise VersionGone("dropped")

    snapshots = [Gone({}), table]
    changing = SimpleNamespace(snapshot=lambda: snapshots.pop(0))
    assert lists(changing).of_person("ann", 1).items[0].item_id == "item-2"


def test_answering_imports_nothing_heavy() -> None:
    code = "import sys, serving.recommend, nextclick.kv.lists.lmdb; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    heavy = {
        "pyspark",
        "mlflow",
        "dagster",
        "great_expectations",
        "deltalake",
        "pyarrow",
        "numpy",
        "pandas",
        "rich",
        "redis",
    }
    assert heavy.isdisjoint(loaded)
