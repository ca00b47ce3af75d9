"""Items that are described alike: TF-IDF over category, attributes and the words of the name.

It needs no use at all, so it knows an item from the moment that the catalogue does; among
items that are used much, item2vec knows more (docs/next-item.md).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import msgspec
import numpy as np
from scipy.sparse import csr_matrix

from ml.data.interactions import Rows
from ml.models.protocol import Arrays, Layout, Lists
from ml.models.topk import sparse_arrays
from ml.models.topk.sparse_arrays import Sparse
from ml.models.topk.sparse_topk import best_next


class DescribedItem(NamedTuple):
    """What silver.items says of one item."""

    name: str | None = None
    category: str | None = None
    attributes: tuple[tuple[str, str], ...] = ()


class Tfidf(msgspec.Struct, frozen=True, kw_only=True, tag_field="model", tag="tfidf"):
    """Words are hashed into `features` columns, so that a model's width does not depend on its words."""

    features: int = 1 << 18

    def fit(self, items: Sequence[DescribedItem]) -> "TfidfModel":
        """`items` in the order of their rows; one of which nothing is known resembles none."""
        from sklearn.feature_extraction.text import (
            HashingVectorizer,
            TfidfTransformer,
        )  # takes a second, which who reads a model does not need

        hashing = HashingVectorizer(
            analyzer=words, n_features=self.features, alternate_sign=False, norm=None, dtype=np.float32
        )
        counts = hashing.transform(items)
        return TfidfModel(self, csr_matrix(TfidfTransformer(sublinear_tf=True).fit_transform(counts), dtype=np.float32))

    def layout(self, items: int) -> Layout:
        return {"item_words": Sparse(items, self.features)}

    def restore(self, arrays: Arrays) -> "TfidfModel":
        return TfidfModel(self, sparse_arrays.from_arrays("item_words", arrays, self.features))


@dataclass(frozen=True)
class TfidfModel:
    """Items × words, each row of length 1."""

    recipe: Tfidf
    item_words: csr_matrix

    @property
    def arrays(self) -> Arrays:
        return sparse_arrays.to_arrays("item_words", self.item_words)

    def similar(self, items: Rows, n: int) -> Lists:
        """The nearest by cosine; items that share no word are not alike."""
        return best_next(lambda rows: csr_matrix(self.item_words[rows[:, 0]] @ self.item_words.T), items[:, None], n)


def words(item: DescribedItem) -> list[str]:
    """The words of the name, the category's steps and the attributes, each marked by where it stands."""
    steps = (item.category or "").lower().split("/")
    path = ["/".join(steps[: depth + 1]).strip() for depth in range(len(steps))]
    return [
        *(f"name={word}" for word in (item.name or "").lower().split()),
        *(f"category={step}" for step in path if step),
        *(f"{key}={value}".lower() for key, value in item.attributes),
    ]
