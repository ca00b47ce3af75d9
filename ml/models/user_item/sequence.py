"""What a person uses next, by the order in which they used things: models of the next item over each person's own sequence.

A person's items, in the order of their last use, are one long session (ml/models/session); the lists are what follows the
latest of them. Age is a half-life in steps (`half_life_places` of the parts), and in hours where a part has one.
"""

from dataclasses import dataclass
from functools import cached_property

import msgspec
import numpy as np
from scipy.sparse import csr_matrix

from ml.data.interactions import Interactions, Rows
from ml.data.sessions import LONGEST, Sessions
from ml.models.protocol import Arrays, Layout, Lists, Progress, Recommender, quiet
from ml.models.session.blend import Part, SessionBlend, SessionBlendModel
from ml.models.session.markov import MarkovTransitions
from ml.models.session.walk import SessionWalk
from ml.models.topk import sparse_arrays
from ml.models.topk.sparse_arrays import Sparse


class OwnSequence(msgspec.Struct, frozen=True, kw_only=True, tag_field="model", tag="sequence"):
    """A blend of what followed an item, what is used beside it, and two steps of that.

    Memory: `reach` entries a pair, at most; of two steps 100 an item.
    """

    reach: int = 5
    """Steps after an item that still count as following it."""
    half_life_places: float = 1.5
    """An item of the person's counts half as much with each of these steps back."""
    half_life_days: float | None = None
    """A transition counts half as much with each of these since then."""
    beside: float = 0.5
    """Weight of transitions both ways, where forward ones have 1."""
    walk: float = 0.0
    """Weight of two steps both ways; 0: without."""

    @property
    def blend(self) -> SessionBlend:
        """The same over sessions."""
        hours = None if self.half_life_days is None else 24 * self.half_life_days
        follows = MarkovTransitions(
            half_life_hours=hours, reach=self.reach, last_items=LONGEST, half_life_places=self.half_life_places
        )
        walk = SessionWalk(
            half_life_hours=hours, reach=self.reach, last_items=LONGEST, half_life_places=self.half_life_places
        )
        parts: dict[str, tuple[float, Part]] = {
            "follows": (1.0, follows),
            "beside": (self.beside, msgspec.structs.replace(follows, backward=1.0, evened=0.5)),
            "walk": (self.walk, walk),
        }
        kept = {name: pair for name, pair in parts.items() if pair[0]}
        return SessionBlend(
            parts={name: part for name, (_, part) in kept.items()},
            weights={name: weight for name, (weight, _) in kept.items()},
        )

    def fit(self, train: Interactions, threads: int = 0, progress: Progress = quiet) -> "SequenceModel":
        sessions = as_sessions(train)
        place = np.arange(len(sessions.item)) - sessions.start[sessions.number] + 1
        shape = (len(train.people), len(train.items))
        places = csr_matrix((place.astype(np.float32), (sessions.whose, sessions.item)), shape)
        return SequenceModel(self, places, self.blend.fit(sessions))

    def adopt(self, model: Recommender) -> "SequenceModel | None":
        return model if isinstance(model, SequenceModel) and model.recipe == self else None

    def layout(self, people: int, items: int) -> Layout:
        parts = {f"next.{name}": shape for name, shape in self.blend.layout(items).items()}
        return {"places": Sparse(people, items), **parts}

    def restore(self, arrays: Arrays) -> "SequenceModel":
        parts = {name.removeprefix("next."): array for name, array in arrays.items() if name.startswith("next.")}
        model = self.blend.restore(parts)
        return SequenceModel(self, sparse_arrays.from_arrays("places", arrays, _items(model)), model)


@dataclass(frozen=True)
class SequenceModel:
    """Everybody's own order, and what follows what."""

    recipe: OwnSequence
    places: csr_matrix
    """People × items: the place of each item in the person's order, from 1 on."""
    next_item: SessionBlendModel

    @property
    def arrays(self) -> Arrays:
        parts = {f"next.{name}": array for name, array in self.next_item.arrays.items()}
        return {**sparse_arrays.to_arrays("places", self.places), **parts}

    def recommend(self, people: Rows, n: int, seen: csr_matrix | None = None) -> Lists:
        return self.next_item.next_items(self._latest[people], n, seen, repeats=True)

    @cached_property
    def _latest(self) -> Rows:
        """[people × LONGEST]: the items of each, oldest first, padded left with −1."""
        person = np.repeat(np.arange(self.places.shape[0]), np.diff(self.places.indptr))
        order = np.lexsort((self.places.data, person))
        from_end = self.places.indptr[1:][person] - np.arange(self.places.nnz)
        latest = np.full((self.places.shape[0], LONGEST), -1, np.int32)
        late = from_end <= LONGEST
        latest[person[late], LONGEST - from_end[late]] = self.places.indices[order][late]
        return latest


def as_sessions(pairs: Interactions) -> Sessions:
    """Each person's pairs as one session, in the order of their last events; of equals by row."""
    order = np.lexsort((pairs.item, pairs.last_at, pairs.person))
    person, start = np.unique(pairs.person[order], return_index=True)
    return Sessions(
        pairs.items, pairs.item[order], pairs.last_at[order], np.append(start, len(pairs)).astype(np.int64), person
    )


def _items(model: SessionBlendModel) -> int:
    return next(len(array) - 1 for name, array in model.arrays.items() if name.endswith("links.indptr"))
