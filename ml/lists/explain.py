"""Why an item: what the person has used that adds most to its score."""

from collections.abc import Sequence
from dataclasses import replace

import msgspec
import numpy as np
import pyarrow.compute as pc

from ml.data import interactions
from ml.data.interactions import Floats, Interactions
from ml.models.protocol import Explains
from ml.registry import artifact
from ml.registry.artifact import Artifact
from nextclick.errors import ModelError
from nextclick.lake import lists_manifest
from nextclick.settings import Settings


class Reason(msgspec.Struct, frozen=True):
    """An item that the person has used, and its part in the score of a recommended one."""

    item_id: str
    share: float
    """Of the sum of all contributions above 0; the shares of all reasons are 1 together."""


def reasons(settings: Settings, person_id: str, items: Sequence[str], most: int = 3) -> dict[str, list[Reason]]:
    """For each of `items` that the model knows, up to `most` reasons, the strongest first.

    Nothing for a person without a history, whose list is the popular one. ModelError
    where the model of the lists that are in gold is gone, or cannot say why.
    """
    lists = lists_manifest.read(settings.lake)
    if lists is None:
        raise ModelError("There are no lists to explain. Call `nextclick train`.")
    of = artifact.load(f"{settings.lake.shared}/{lists.state}", lists.digest)
    if not isinstance(of.model, Explains):
        raise ModelError(f"Lists of a model like {of.card.recipe} have no reasons: it does not sum over what was used.")
    history = _history(settings, of, person_id, lists.interactions_version)
    rows = of.items.rows(items)
    if not len(history) or not (rows >= 0).any():
        return {}
    known = [item for item, row in zip(items, rows, strict=True) if row >= 0]
    added = of.model.contributions(rows[rows >= 0], history)
    used = of.items.take(history.item).to_pylist()
    return {item: _strongest(used, row, most) for item, row in zip(known, added, strict=True)}


def _history(settings: Settings, of: Artifact, person_id: str, version: int) -> Interactions:
    """The person's pairs as the lists account for them, in the model's rows and faded to the same moment."""
    table, _ = interactions.open_table(settings, version)
    wanted = (pc.field("site") == settings.site) & (pc.field("person_id") == person_id)
    pairs = interactions.from_arrow(
        table.to_pyarrow_dataset().to_table(columns=list(interactions.COLUMNS), filter=wanted)
    )
    known = of.items.rows(pairs.items.ids)[pairs.item] >= 0 if len(pairs) else np.zeros(0, np.bool_)
    if not known.any() or of.people.rows([person_id])[0] < 0:
        return pairs.where(np.zeros(len(pairs), np.bool_))
    return replace(pairs.where(known).over(of.people, of.items), now=of.card.as_of)


def _strongest(used: list[str], added: Floats, most: int) -> list[Reason]:
    total = float(added[added > 0].sum())
    order = np.argsort(-added, kind="stable")[:most]
    return [Reason(used[place], round(float(added[place]) / total, 4)) for place in order if added[place] > 0]
