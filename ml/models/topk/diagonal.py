"""Row and column sums as diagonal matrices: how busy people, and how popular items, are weighed."""

import numpy as np
from scipy.sparse import csr_matrix, dia_matrix, diags

from ml.data.interactions import Floats


def sums(matrix: csr_matrix, axis: int) -> Floats:
    """The sum of each column (axis 0) or row (axis 1)."""
    return np.asarray(matrix.sum(axis=axis), np.float32).ravel()


def power(sums: Floats, exponent: float) -> dia_matrix:
    """The diagonal matrix of sums^exponent; what is 0 stays 0."""
    return diags(np.power(sums, exponent, out=np.zeros_like(sums), where=sums > 0), dtype=np.float32)
