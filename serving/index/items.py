"""The items of one version as arrays: row i is the item with index i, and the last row stands for every unknown item."""

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
from msgspec import UNSET, UnsetType
from numpy.typing import NDArray

from nextclick.errors import ModelError
from nextclick.kv.lists.packing import CHUNK, DescribedItems, chunk_key, chunks, decode_shelf, shelf_key, unpack_ids
from nextclick.kv.lists.protocol import Snapshot

Numbers = NDArray[np.int64]
Floats = NDArray[np.float64]
UNKNOWN: Final = -1
"""The index of an item, or the code of a category, that is not known; as an index it is the last row."""
_TRAITS: Final = 16
"""Attributes of an item that count for interests; it may have more."""
NOTHING: Final = np.empty(0, np.int64)
"""No items."""
_LENGTHS: Final = 1_024
_TOGETHER: Final = 64
"""Chunks that are read at a time."""


@dataclass(frozen=True, eq=False)
class ItemColumns:
    """Facts of items; every array has one row more than there are items."""

    ids: Sequence[str]
    number: dict[str, int]
    """Index by id."""
    names: Sequence[str | UnsetType]
    """UNSET where nobody said, which stands for no field in an answer; so is the last."""
    currencies: Sequence[str | UnsetType]
    category_names: Sequence[str]
    code: dict[str, int]
    """Index of a category by its name."""
    categories: Sequence[str | None]
    """The name of each item's category; the last one is None."""
    category: Numbers
    """Code, or UNKNOWN."""
    traits: Sequence[tuple[str, ...]]
    """The first attributes of each item by name, as "name: value"; the last is empty."""
    price: Floats
    """Not a number where unknown."""
    available: NDArray[np.int8]
    """1 or 0; UNKNOWN where nobody said."""
    first_seen: Floats
    """Milliseconds since 1970-01-01 UTC; before everything, −inf, where unknown."""
    strength: Floats
    recommendable: NDArray[np.bool_]
    """The catalogue knows it, or, where the site has none, people used it; true for an unknown item, which is a caller's own."""
    currency: Numbers
    """Code of the price's currency; UNKNOWN where nobody said."""
    currency_code: dict[str, int]
    site_currency: int
    """The code of most prices; UNKNOWN where no price has one."""

    def __len__(self) -> int:
        return len(self.ids)

    def numbers(self, ids: Sequence[str]) -> Numbers:
        """The indices of ids; UNKNOWN for unknown ones."""
        return np.array([self.number.get(item, UNKNOWN) for item in ids], np.int64)

    def category_of(self, item: str) -> str | None:
        """The name of an item's category."""
        return self.categories[self.number.get(item, UNKNOWN)]

    def traits_of(self, item: str) -> tuple[str, ...]:
        """The attributes of an item."""
        return self.traits[self.number.get(item, UNKNOWN)]


@lru_cache(_LENGTHS)
def places(count: int) -> Numbers:
    """0, 1, … below `count`; nobody may write in it."""
    return _kept(np.arange(count))


@lru_cache(_LENGTHS)
def ones(count: int) -> Floats:
    """So many ones; nobody may write in them."""
    return _kept(np.ones(count))


@lru_cache(_LENGTHS)
def zeros(count: int) -> Floats:
    """So many zeros; nobody may write in them."""
    return _kept(np.zeros(count))


def _kept(array: NDArray[Any]) -> NDArray[Any]:
    array.flags.writeable = False
    return array


def load(snapshot: Snapshot) -> ItemColumns:
    """The catalogue of a version; one whose export knew no catalogue has ids alone."""
    count = snapshot.manifest.items
    numbers = chunks(count)
    ids = [item for value in read_chunks(snapshot, chunk_key, count) for item in _ids(value)]
    if len(ids) != count:
        raise ModelError(f"Version {snapshot.manifest.version} lacks item ids. Run `nextclick export --full`.")
    shelves = [
        decode_shelf(value) if value is not None else _empty(min(CHUNK, count - chunk * CHUNK))
        for chunk, value in zip(numbers, read_chunks(snapshot, shelf_key, count), strict=True)
    ]
    return of_shelves(ids, shelves)


def of_shelves(ids: Sequence[str], shelves: Sequence[DescribedItems]) -> ItemColumns:
    """The catalogue that chunks make, in their order."""
    categories = [name for shelf in shelves for name in shelf.categories]
    names = sorted({name for name in categories if name})
    code = {name: number for number, name in enumerate(names)}
    codes = [code.get(name or "", UNKNOWN) for name in categories]
    # One text for all items of a currency, as of a category: few texts, looked at by every answer, are at hand.
    currencies = [sys.intern(each) if each else None for shelf in shelves for each in shelf.currencies]
    counts = Counter(currency for currency in currencies if currency)
    code_of_currency = {name: number for number, (name, _) in enumerate(counts.most_common())}
    recommendable = [each for shelf in shelves for each in shelf.recommendable or [True] * len(shelf.names)]
    said = [UNKNOWN if each is None else int(each) for shelf in shelves for each in shelf.available]
    return ItemColumns(
        ids=ids,
        number={item: number for number, item in enumerate(ids)},
        names=[*(name or UNSET for shelf in shelves for name in shelf.names), UNSET],
        currencies=[*(currency or UNSET for currency in currencies), UNSET],
        category_names=names,
        code=code,
        categories=[*(None if each == UNKNOWN else names[each] for each in codes), None],
        category=np.array([*codes, UNKNOWN], np.int64),
        traits=[*(_traits(each) for shelf in shelves for each in shelf.attributes), ()],
        price=_floats([price for shelf in shelves for price in shelf.prices]),
        available=np.array([*said, UNKNOWN], np.int8),
        first_seen=np.nan_to_num(_floats([at for shelf in shelves for at in shelf.first_seen]), nan=-np.inf),
        strength=np.nan_to_num(_floats([strength for shelf in shelves for strength in shelf.strengths])),
        recommendable=np.array([*recommendable, True], np.bool_),
        currency=np.array([*(code_of_currency.get(name or "", UNKNOWN) for name in currencies), UNKNOWN], np.int64),
        currency_code=code_of_currency,
        site_currency=0 if code_of_currency else UNKNOWN,
    )


def _traits(attributes: Mapping[str, str] | None) -> tuple[str, ...]:
    return tuple(f"{name}: {value}" for name, value in sorted((attributes or {}).items())[:_TRAITS])


def _floats(values: Sequence[float | None]) -> Floats:
    column = np.array([*values, None], np.float64)
    column[~np.isfinite(column)] = np.nan
    return column


def read_chunks(snapshot: Snapshot, key: Callable[[int], bytes], count: int) -> Iterator[bytes | None]:
    """The values under the keys of all chunks of `count` items, in order."""
    numbers = chunks(count)
    for start in numbers[::_TOGETHER]:
        yield from snapshot.get_many([key(number) for number in numbers[start : start + _TOGETHER]])


def _ids(value: bytes | None) -> list[str]:
    return unpack_ids(value) if value is not None else []


def _empty(count: int) -> DescribedItems:
    nothing: list[Any] = [None] * count
    return DescribedItems(nothing, nothing, nothing, nothing, nothing, nothing, nothing, nothing, [0.0] * count)
