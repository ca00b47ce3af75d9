"""Packed lists as arrays: an item index and a score a place (nextclick/kv/lists/packing.py has the bytes)."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from nextclick.errors import ModelError
from nextclick.kv.lists.packing import HEADER, LONG, PAIRS, SHORT

DTYPES: Final = {
    SHORT: np.dtype([("item", "<u2"), ("score", "<f4")]),
    LONG: np.dtype([("item", "<u4"), ("score", "<f4")]),
}
assert all(PAIRS[form].size == dtype.itemsize for form, dtype in DTYPES.items())


def unpack_list(value: bytes, count: int) -> tuple[int, NDArray[np.int64], NDArray[np.float32]]:
    """Index of the model version, item indices and scores, best first; all indices below `count`. ModelError if damaged."""
    try:
        form, model = HEADER.unpack_from(value)
        pairs: NDArray[Any] = np.frombuffer(value, DTYPES[form], offset=HEADER.size)
    except (ValueError, KeyError, IndexError) as error:
        raise ModelError(
            f"A list of the key-value table is damaged: {error}. Run `nextclick export --full`."
        ) from error
    items = pairs["item"].astype(np.int64)
    if len(items) and items.max() >= count:
        raise ModelError(
            "A list of the key-value table names an item that there is not. Run `nextclick export --full`."
        )
    return model, items, pairs["score"]
