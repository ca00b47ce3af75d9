"""Packed lists as arrays: an item index and a score a place (nextclick/kv/lists/packing.py has the bytes)."""

import struct
from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from nextclick.errors import ModelError
from nextclick.kv.lists.packing import HEADER, LONG, PAIRS, SHORT

DTYPES: Final = {
    SHORT: np.dtype([("item", "<u2"), ("score", "<f4")]),
    LONG: np.dtype([("item", "<u4"), ("score", "<f4")]),
}
_DTYPES: Final = {bytes([form]): dtype for form, dtype in DTYPES.items()}
assert all(PAIRS[form].size == dtype.itemsize for form, dtype in DTYPES.items())


def unpack_list(value: bytes, count: int) -> tuple[int, NDArray[np.int64], NDArray[np.float32]]:
    """Index of the model version, item indices and scores, best first; all indices below `count`. ModelError if damaged."""
    try:
        form, model = HEADER.unpack_from(value)
        pairs: NDArray[Any] = np.frombuffer(value, DTYPES[form], offset=HEADER.size)
    except (ValueError, KeyError, IndexError, struct.error) as error:
        raise _damaged(error) from error
    return model, _items(pairs, count), pairs["score"]


def model_of(value: bytes, models: Sequence[str]) -> str:
    """Which of the `models` made a list. ModelError if it is damaged."""
    try:
        model: int = HEADER.unpack_from(value)[1]
        return models[model]
    except (struct.error, IndexError) as error:
        raise _damaged(error) from error


def unpack_items(values: Sequence[bytes], count: int) -> list[NDArray[np.int64]]:
    """The item indices of several lists. Those of one form are read and checked as one, since each costs more than its items do."""
    forms = {value[:1] for value in values}
    dtype = _DTYPES.get(forms.pop()) if len(forms) == 1 else None
    sizes = [len(value) - HEADER.size for value in values]
    if dtype is None or any(size < 0 or size % dtype.itemsize for size in sizes):
        return [unpack_list(each, count)[1] for each in values]
    joined = _items(np.frombuffer(b"".join([value[HEADER.size :] for value in values]), dtype), count)
    ends = accumulate([size // dtype.itemsize for size in sizes], initial=0)
    return [joined[first:last] for first, last in pairwise(ends)]


def _items(pairs: NDArray[Any], count: int) -> NDArray[np.int64]:
    """The item indices of a list. ModelError where one is not below `count`."""
    items = pairs["item"].astype(np.int64)
    if len(items) and items.max() >= count:
        raise ModelError(
            "A list of the key-value table names an item that there is not. Run `nextclick export --full`."
        )
    return items


def _damaged(error: Exception) -> ModelError:
    return ModelError(f"A list of the key-value table is damaged: {error}. Run `nextclick export --full`.")
