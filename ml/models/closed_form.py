"""What regressions on all items at once share: the inverse of their Gram matrix, and the links that are kept of the solution."""

from collections.abc import Callable, Iterator

import numpy as np
from scipy.linalg import lapack
from scipy.sparse import csr_matrix, vstack
from threadpoolctl import threadpool_limits

from ml.data.interactions import Floats
from nextclick.errors import ModelError

_ROWS = 1024


def inverted(gram: csr_matrix, ridge: float) -> Floats:
    """(gram + ridge · I)⁻¹ of a symmetric matrix that is not negative, by Cholesky; memory is twice items² · 4 bytes."""
    dense = np.asfortranarray(gram.toarray(), np.float32)
    dense[np.diag_indices_from(dense)] += np.float32(ridge)
    with threadpool_limits(1, "blas"):  # sums of several threads differ in the last bits
        factor, failed = lapack.spotrf(dense, lower=1, overwrite_a=1)
        inverse, singular = lapack.spotri(factor, lower=1, overwrite_c=1)
    if failed or singular:
        raise ModelError(f"The items' Gram matrix has no inverse with a ridge of {ridge:g}; a larger one is needed.")
    below = np.tril(inverse, -1)
    return np.ascontiguousarray(below + below.T + np.diag(np.diag(inverse)))


def largest(rows: Callable[[slice], Floats], items: int, n: int) -> csr_matrix:
    """Items × items: of each row that `rows` gives for a slice, the n entries farthest from 0."""
    parts = [csr_matrix((0, items), dtype=np.float32), *(_kept(rows(part), n) for part in _slices(items))]
    return csr_matrix(vstack(parts, "csr"))


def _kept(dense: Floats, n: int) -> csr_matrix:
    if n < dense.shape[1]:
        least = np.partition(np.abs(dense), -n, axis=1)[:, -n]
        dense = np.where(np.abs(dense) >= least[:, None], dense, 0)
    return csr_matrix(dense, dtype=np.float32)


def _slices(rows: int) -> Iterator[slice]:
    return (slice(start, min(start + _ROWS, rows)) for start in range(0, rows, _ROWS))
