"""How a sparse matrix lies among the arrays of a model: as three of them, each checked when it is read back."""

from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from nextclick.errors import ModelError


class Sparse(msgspec.Struct, frozen=True):
    """Shape of a float32 CSR matrix that is kept as NAME.data, NAME.indices (int32) and NAME.indptr (int64)."""

    rows: int | None
    """None: as many as the data had."""
    columns: int

    def flat(self, name: str, arrays: Mapping[str, NDArray[Any]]) -> dict[str, tuple[Any, tuple[int, ...]]]:
        """Dtype and shape of each of the three, given what `arrays` say of the lengths that are free."""
        rows = arrays[f"{name}.indptr"].size - 1 if self.rows is None and f"{name}.indptr" in arrays else self.rows or 0
        filled = (last(arrays, f"{name}.indptr"),)
        return {
            f"{name}.data": (np.float32, filled),
            f"{name}.indices": (np.int32, filled),
            f"{name}.indptr": (np.int64, (rows + 1,)),
        }


def last(arrays: Mapping[str, NDArray[Any]], name: str) -> int:
    """The last entry of an `indptr`: how many values its matrix has; 0 if it is not there."""
    return int(arrays[name].flat[-1]) if name in arrays and arrays[name].size else 0


def to_arrays(name: str, matrix: csr_matrix) -> dict[str, NDArray[Any]]:
    """The three arrays of a matrix."""
    return {
        f"{name}.data": matrix.data.astype(np.float32, copy=False),
        f"{name}.indices": matrix.indices.astype(np.int32, copy=False),
        f"{name}.indptr": matrix.indptr.astype(np.int64, copy=False),
    }


def from_arrays(name: str, arrays: Mapping[str, NDArray[Any]], columns: int) -> csr_matrix:
    """The matrix of three arrays; ModelError if they are none."""
    parts = tuple(arrays[f"{name}.{part}"] for part in ("data", "indices", "indptr"))
    shape = (len(parts[2]) - 1, columns)
    try:
        matrix = csr_matrix(parts, shape=shape)
        matrix.check_format(full_check=True)
    except ValueError as error:
        raise ModelError(f"{name} is no matrix of {shape}: {error}. Call `nextclick train` for a new model.") from error
    return matrix
