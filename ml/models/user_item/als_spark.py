"""The factorization by Spark ML, on a cluster: for more pairs than one machine fits in a night.

The same paper, with one difference (Zhou et al., "Large-scale Parallel Collaborative Filtering for the Netflix Prize", AAIM 2008):
the penalty on a vector grows with the number of pairs that it has, so that a regularization of `implicit` means another thing here.
The fit goes over the session that is open: whoever trains opens it.
"""

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from ml.data.interactions import Floats, Rows
from nextclick.errors import ModelError

REGULARIZATION = 0.05
"""Of one pair of a vector, where `nextclick tune` found none."""


def fit_factors(
    confidence: csr_matrix, factors: int, iterations: int, regularization: float, alpha: float, seed: int
) -> tuple[Floats, Floats]:
    """Vectors of people and items; `confidence` is c = 1 + alpha · strength of each pair. ModelError without a session."""
    from pyspark.ml.recommendation import ALS
    from pyspark.sql import SparkSession

    spark = SparkSession.getActiveSession()
    if spark is None:
        raise ModelError("als_spark is fitted by Spark, and no session is open. `nextclick train` opens one.")
    blocks = spark.sparkContext.defaultParallelism
    people, items = (np.asarray(rows, np.int32) for rows in confidence.nonzero())
    strength = ((confidence.data - 1) / alpha).astype(np.float32)
    pairs = spark.createDataFrame(pa.table({"person": people, "item": items, "strength": strength}))
    learner = ALS(
        rank=factors, maxIter=iterations, regParam=regularization, alpha=alpha, implicitPrefs=True, seed=seed,
        userCol="person", itemCol="item", ratingCol="strength", numUserBlocks=blocks, numItemBlocks=blocks, checkpointInterval=-1,
    )  # fmt: skip
    model = learner.fit(pairs)
    return _dense(model.userFactors, confidence.shape[0], factors), _dense(
        model.itemFactors, confidence.shape[1], factors
    )


def solve(confidence: csr_matrix, fixed: Floats, regularization: float) -> Floats:
    """The vector of each row of `confidence` against the `fixed` ones: (Y'Y + Σ (c − 1) y y' + λ n I)⁻¹ Σ c y, n its pairs."""
    every = fixed.astype(np.float64)
    gram, eye = every.T @ every, np.eye(every.shape[1])
    solved = np.zeros((confidence.shape[0], every.shape[1]), np.float32)
    for row, (start, end) in enumerate(zip(confidence.indptr, confidence.indptr[1:], strict=False)):
        if start == end:
            continue
        used, c = every[confidence.indices[start:end]], confidence.data[start:end].astype(np.float64)
        left = gram + (used.T * (c - 1)) @ used + regularization * (end - start) * eye
        solved[row] = np.linalg.solve(left, used.T @ c)
    return solved


def fold_in(
    confidence: csr_matrix, people: Rows, items: Rows, vectors: tuple[Floats, Floats], regularization: float
) -> tuple[Floats, Floats]:
    """`vectors` of people and items, those of `people` and `items` solved anew: items from the people who used them, who then move."""
    of_people, of_items = vectors
    of_people[people] = solve(confidence[people], of_items, regularization)
    if len(items):
        of_items[items] = solve(confidence.T.tocsr()[items], of_people, regularization)
        of_people[people] = solve(confidence[people], of_items, regularization)
    return of_people, of_items


def _dense(factors: Any, rows: int, size: int) -> Floats:
    """A row an id; ids without pairs have none, and stay zero."""
    table = factors.toArrow().combine_chunks()
    dense = np.zeros((rows, size), np.float32)
    values: NDArray[Any] = table["features"].combine_chunks().flatten().to_numpy()
    dense[table["id"].to_numpy()] = values.reshape(-1, size)
    return dense
