"""A model of the next item in the form in which answers ask it: one session at a time, in bounded memory and time.

What is a sum over single items (transitions, walks, regressions, singular vectors) becomes links, of each item the KEPT
strongest; of neighbours those sessions stay that a question can reach, of each item the SAMPLE latest. So packed, a model
is not quite what was fitted; it is judged as it is packed (ml/lists/live_session.py).
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix, identity

from ml.data.interactions import IdMap
from ml.models.protocol import NextItem
from ml.models.session.blend import HELD, PartModel, SessionBlendModel
from ml.models.session.factors import SessionFactorsModel
from ml.models.session.links import LinksModel, strongest
from ml.models.session.popular import SessionPopularModel
from ml.models.session.returns import SessionReturnsModel
from ml.models.session.stan import StanModel
from ml.models.topk import sparse_arrays
from ml.models.topk.dense_topk import dense_lists
from nextclick.next_item import parts
from nextclick.next_item.parts import Arrays, Part
from nextclick.next_item.session_model import SessionCard, SessionModel

KEPT = 200
SAMPLE = 500
_FLOOR = 1e-4


def packed(name: str, model: NextItem, items: IdMap, repeats: bool) -> SessionModel:
    """The model as answers ask it; `name` says what was chosen."""
    blend = model if isinstance(model, SessionBlendModel) else None
    models: Mapping[str, Any] = blend.parts if blend else {name: model}
    weights = blend.recipe.weights if blend else {name: 1.0}
    each = {part: _part(one, weights[part]) for part, one in models.items()}
    card = SessionCard(
        name=name,
        repeats=repeats,
        parts={part: form for part, (form, _) in each.items()},
        floor=blend.recipe.floor if blend else _FLOOR,
        held=weights.get(HELD, 0.0),
    )
    return SessionModel(card, items.ids.to_pylist(), {part: arrays for part, (_, arrays) in each.items()})


def _part(model: PartModel, weight: float) -> tuple[Part, Arrays]:
    recipe: Any = model.recipe
    match model:
        case LinksModel() | SessionFactorsModel():
            links = _highest(model.links) if isinstance(model, LinksModel) else _as_links(model)
            form = parts.Links(weight=weight, last_items=recipe.last_items, half_life_places=recipe.half_life_places)
            return form, sparse_arrays.to_arrays("links", links)
        case StanModel():
            return _neighbours(model, weight)
        case SessionReturnsModel():
            return parts.Returns(weight=weight), dict(model.arrays)
        case SessionPopularModel():
            head = model.scores(np.empty((1, 0), np.int32))
            return parts.PopularNow(weight=weight), {"items": head.indices.astype(np.int32), "counts": head.data}
    raise TypeError(f"No answer asks {type(model).__name__}.")


def _as_links(model: SessionFactorsModel) -> csr_matrix:
    """Where each item by itself leads to: a session's scores are the sum of its items'."""
    items = len(model.item_sums)
    each = identity(items, np.float32, "csr")
    if items <= KEPT:
        return csr_matrix(model.leads(each))
    lists = dense_lists(lambda rows: model.leads(each[rows]), items, np.arange(items, dtype=np.int32), KEPT)
    row, place = np.nonzero(lists.items >= 0)
    return csr_matrix((lists.scores[row, place], (row, lists.items[row, place])), (items, items))


def _highest(links: csr_matrix) -> csr_matrix:
    """The KEPT highest entries of each row; where none has more all stay, those below 0 too, which count against what others say."""
    return links if np.diff(links.indptr).max(initial=0) <= KEPT else strongest(links, KEPT)


def _neighbours(model: StanModel, weight: float) -> tuple[Part, Arrays]:
    recipe, postings = model.recipe, model.postings.copy()
    rank = np.arange(postings.nnz) - np.repeat(postings.indptr[:-1], np.diff(postings.indptr))
    postings.data = np.where(rank < SAMPLE, postings.data, 0).astype(np.float32)
    postings.eliminate_zeros()
    reached = np.unique(postings.indices)
    postings, sessions = csr_matrix(postings[:, reached]), csr_matrix(model.sessions[reached])
    form = parts.Neighbours(
        weight=weight,
        last_items=recipe.last_items,
        half_life_places=recipe.half_life_places,
        neighbours=recipe.neighbours,
        near_places=recipe.near_places,
        before=recipe.before,
    )
    arrays = sparse_arrays.to_arrays("sessions", sessions) | sparse_arrays.to_arrays("postings", postings)
    return form, arrays | {"sizes": model.size[reached], "rarity": model.rarity}
