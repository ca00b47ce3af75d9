"""Several models' lists as one.

Each member lists its best for a person; the lists' scores, as shares of their first
one, are added with the members' weights (CombSUM: Fox and Shaw, "Combination of
Multiple Searches", TREC-2, 1994). What a member does not list gets nothing from it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from scipy.sparse import csr_matrix

from ml.data.interactions import Floats, Interactions, Rows
from ml.models.protocol import (
    Arrays,
    Embedding,
    Embeds,
    Explains,
    FoldIn,
    Layout,
    Lists,
    Progress,
    Recommender,
    SimilarItems,
    quiet,
)
from ml.models.topk.sparse_topk import best
from ml.models.user_item.als import Als
from ml.models.user_item.ease import Ease
from ml.models.user_item.gf_cf import GfCf
from ml.models.user_item.popular import Popular
from ml.models.user_item.sequence import OwnSequence
from ml.models.user_item.user_knn import UserKnn

Member = Als | GfCf | Ease | UserKnn | OwnSequence | Popular


class Blend(msgspec.Struct, frozen=True, kw_only=True, tag_field="model", tag="blend"):
    """Recipes and the weight of each."""

    members: tuple[Member, ...]
    weights: tuple[float, ...]
    depth: int = 200
    """Places of each member's lists that count, at least; never fewer than are asked for."""

    def fit(self, train: Interactions, threads: int = 0, progress: Progress = quiet) -> "BlendModel":
        return BlendModel(self, tuple(member.fit(train, threads, progress) for member in self.members))

    def adopt(self, model: Recommender) -> "BlendModel | None":
        if not isinstance(model, BlendModel) or model.recipe.members != self.members:
            return None
        return BlendModel(self, model.members)

    def layout(self, people: int, items: int) -> Layout:
        return {
            f"{at}.{name}": shape
            for at, member in enumerate(self.members)
            for name, shape in member.layout(people, items).items()
        }

    def restore(self, arrays: Arrays) -> "BlendModel":
        return BlendModel(self, tuple(member.restore(_of(at, arrays)) for at, member in enumerate(self.members)))


@dataclass(frozen=True)
class BlendModel:
    """The members, fitted on the same."""

    recipe: Blend
    members: tuple[Recommender, ...]

    @property
    def arrays(self) -> Arrays:
        return {f"{at}.{name}": array for at, one in enumerate(self.members) for name, array in one.arrays.items()}

    def recommend(self, people: Rows, n: int, seen: csr_matrix | None = None) -> Lists:
        lists = [one.recommend(people, max(n, self.recipe.depth), seen) for one in self.members]
        return joined(shares(lists), self.recipe.weights, n)

    def similar(self, items: Rows, n: int) -> Lists:
        """Of the heaviest member that knows likeness; empty lists if none does."""
        one: SimilarItems | None = self._heaviest(SimilarItems)
        if one is None:
            return Lists(np.full((len(items), n), -1, np.int32), np.zeros((len(items), n), np.float32))
        return one.similar(items, n)

    def embedding(self) -> Embedding | None:
        """Of the heaviest member that has one."""
        one: Embeds | None = self._heaviest(Embeds)
        return one.embedding() if one else None

    def contributions(self, items: Rows, history: Interactions) -> Floats:
        """The members' contributions, as shares of their best of `items`, with their weights; 0 of members that cannot say."""
        blended = np.zeros((len(items), len(history)), np.float32)
        for weight, member in zip(self.recipe.weights, self.members, strict=True):
            if isinstance(member, Explains):
                added = member.contributions(items, history)
                first = added.sum(axis=1).max(initial=0)
                blended += weight * added / first if first > 0 else 0
        return blended

    def _heaviest(self, kind: Any) -> Any:
        """Of the members that are of this kind; None without any."""
        members = sorted(zip(self.recipe.weights, self.members, strict=True), key=lambda pair: -pair[0])
        return next((one for _, one in members if isinstance(one, kind)), None)

    def fold_in(self, pairs: Interactions, people: Rows, new_items: Rows) -> "BlendModel":
        members = (
            one.fold_in(pairs, people, new_items) if isinstance(one, FoldIn) else one.recipe.fit(pairs)
            for one in self.members
        )
        return BlendModel(self.recipe, tuple(members))


def joined(each: Sequence[csr_matrix], weights: Sequence[float], n: int) -> Lists:
    """The n best by the weighted sum of the members' `shares`; equal ones by row."""
    return best(sum(weight * one for one, weight in zip(each, weights, strict=True)), n)


def shares(lists: Sequence[Lists]) -> list[csr_matrix]:
    """The lists' scores, each as a share of its list's first, of each member."""
    columns = max(int(one.items.max(initial=0)) for one in lists) + 1
    return [_shares(one, columns) for one in lists]


def _shares(lists: Lists, columns: int) -> csr_matrix:
    """Lists × items: scores as shares of the first of their list."""
    row, place = np.nonzero((lists.items >= 0) & (lists.scores > 0))
    shares = lists.scores[row, place] / lists.scores[row, 0]
    return csr_matrix((shares, (row, lists.items[row, place])), (len(lists.items), columns), dtype=np.float32)


def _of(at: int, arrays: Arrays) -> Arrays:
    """The arrays of one member."""
    prefix = f"{at}."
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
