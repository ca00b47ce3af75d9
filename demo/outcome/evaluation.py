"""Judge recommendations by the tastes that only the generator knows."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from demo.outcome.facts import TasteMatch
from demo.traffic.tastes import Tastes, places
from demo.traffic.visits import Flags, Floats


def judge(tastes: Tastes, lists: pa.Table, used: pa.Table, popular: pa.Table, k: int) -> TasteMatch:
    """The expected share of truly liked items among the first k that are new to the person.

    `lists` has person_id, rank, item_id; `used` person_id, item_id; `popular` rank, item_id. Everyone who has a list
    is judged; what a person used before is left out for all contenders.
    """
    ids = np.unique(_texts(lists, "person_id"))
    ids = ids[tastes.rows_of(ids) >= 0]
    likes = tastes.likes(tastes.rows_of(ids))
    fresh = ~_pairs(tastes, ids, used)
    likes_fresh = np.where(fresh, likes, 0)
    recommended = _pairs(tastes, ids, lists.filter(pa.compute.field("rank") <= k)) & fresh
    return TasteMatch(
        k=k,
        people=len(ids),
        chance=float(likes_fresh.sum() / max(1, fresh.sum())),
        popular=_share(likes_fresh, _first(fresh, _popularity(tastes, popular), k), k),
        model=_share(likes_fresh, recommended, k),
        best=_share(likes_fresh, _first(fresh, likes, k), k),
    )


def _share(likes: Floats, chosen: Flags, k: int) -> float:
    """Expected liked items per place; a place that was left empty counts as not liked."""
    return float(likes[chosen].sum() / max(1, len(likes) * k))


def _first(fresh: Flags, score: Floats, k: int) -> Flags:
    """The k best-scored fresh items of each person; items scored −inf are never chosen."""
    masked = np.where(fresh, score, -np.inf)
    best = np.argsort(-masked, axis=1, kind="stable")[:, :k]
    chosen = np.zeros(masked.shape, dtype=bool)
    np.put_along_axis(chosen, best, True, axis=1)
    return chosen & np.isfinite(masked)


def _popularity(tastes: Tastes, popular: pa.Table) -> Floats:
    """Minus the rank of each item; −inf for items that the list does not have."""
    score = np.full(len(tastes.item_ids), -np.inf, dtype=np.float32)
    item = places(tastes.item_ids, _texts(popular, "item_id"))
    score[item[item >= 0]] = -popular["rank"].to_numpy()[item >= 0]
    return score


def _pairs(tastes: Tastes, people: npt.NDArray[np.str_], pairs: pa.Table) -> Flags:
    """People × items: the pair is in the table; pairs of other people are left out."""
    person = places(people, _texts(pairs, "person_id"))
    item = places(tastes.item_ids, _texts(pairs, "item_id"))
    known = (person >= 0) & (item >= 0)
    there = np.zeros((len(people), len(tastes.item_ids)), dtype=bool)
    there[person[known], item[known]] = True
    return there


def _texts(table: pa.Table, column: str) -> npt.NDArray[np.str_]:
    texts: npt.NDArray[np.str_] = table[column].to_numpy().astype(str)
    return texts
