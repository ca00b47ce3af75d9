"""The vectors of one version's items in memory: the space in which live embeddings lie."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nextclick.errors import ModelError
from nextclick.kv.lists.packing import CHUNK, vectors_key
from nextclick.kv.lists.protocol import Snapshot
from nextclick.lake import lists_manifest
from nextclick.profile import embedding
from serving.index.items import Floats, Numbers, read_chunks


class Embedded(NamedTuple):
    """Where a visitor stands."""

    vector: Floats
    """Folded in, where a factorization made the vectors of the items; else their mean."""
    used: Numbers
    """The items used that have a vector."""
    strength: Floats
    """How strongly each of them was used."""


@dataclass(frozen=True, eq=False)
class ItemVectors:
    """A direction and a length for each item; one row more, for unknown items: zero, as for items without a vector."""

    about: lists_manifest.Vectors
    direction: NDArray[np.float32]
    length: NDArray[np.float32]
    inverse: Floats
    """What a visitor is folded in with (nextclick/profile/embedding.py)."""

    def embed(self, strengths: Mapping[int, float]) -> Embedded | None:
        """Who used these items, by index, as strongly as that; None for who used none that has a vector."""
        number, strength = np.array(list(strengths), np.int64), np.array(list(strengths.values()))
        length = self.length.take(number)
        known = (length > 0).nonzero()[0]
        if not len(known):
            return None
        if len(known) < len(number):
            number, strength, length = number.take(known), strength.take(known), length.take(known)
        used = self._of(number, length)
        if self.about.method != "als":
            return Embedded(embedding.mean(used, strength), number, strength)
        return Embedded(embedding.fold_in(self.inverse, used, strength, self.about.alpha), number, strength)

    def mean(self, embedded: Embedded) -> Floats:
        """The mean of the vectors of the items used, weighted by strength."""
        used = embedded.used
        return embedding.mean(self._of(used, self.length.take(used)), embedded.strength)

    def _of(self, number: Numbers, length: NDArray[np.float32]) -> Floats:
        return (self.direction.take(number, axis=0) * length[:, None]).astype(np.float64)

    def affinity(self, embedded: Embedded, number: Numbers, used: NDArray[np.bool_]) -> Floats:
        """Cosine of the angle between a visitor and items, 0 for a right one and more.

        0 for items without a vector, and for those that the visitor `used`: how near these are says nothing new.
        """
        length = math.sqrt(embedded.vector @ embedded.vector)
        if not length > 0:  # nor where it is no number
            return np.zeros(len(number))
        near = self.direction.take(number, axis=0) @ (embedded.vector / length).astype(np.float32)
        near[used] = 0.0
        return near.clip(0.0, 1.0).astype(np.float64)


def load(snapshot: Snapshot) -> ItemVectors | None:
    """The vectors of a version; None where it has none. ModelError where they are damaged."""
    about = snapshot.manifest.lists.vectors
    if about is None:
        return None
    matrix = np.zeros((snapshot.manifest.items + 1, about.dimensions), np.float32)
    gram = np.zeros((about.dimensions, about.dimensions))
    for number, value in enumerate(read_chunks(snapshot, vectors_key, snapshot.manifest.items)):
        rows = _rows(value or b"", about.dimensions)
        room = matrix[number * CHUNK : -1][:CHUNK]
        if len(rows) > len(room) or not np.isfinite(rows).all():
            raise ModelError("The vectors of items are damaged. Run `nextclick export --full`.")
        room[: len(rows)] = rows
        gram += rows.T @ rows
    length = np.linalg.norm(matrix, axis=1)
    direction = matrix / np.maximum(length, np.finfo(np.float32).tiny)[:, None]
    return ItemVectors(about, direction, length, embedding.inverse(gram, about.regularization))


def _rows(value: bytes, dimensions: int) -> Floats:
    if len(value) % (2 * dimensions):
        raise ModelError("The vectors of items are cut short. Run `nextclick export --full`.")
    return np.frombuffer(value, "<f2").reshape(-1, dimensions).astype(np.float64)
