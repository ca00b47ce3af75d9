"""What a publication is: lists in gold, made from one model and one version of gold.interactions.

`ml` writes the lists and `serving` brings them into the key-value table; what both must
agree on stands here. Every commit to gold.recommendations that changes lists carries a
`ListsManifest` in its commit information (key `nextclick`, as JSON): the newest one says
what the table holds. Commits of maintenance (OPTIMIZE, VACUUM) carry none.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Literal

import msgspec

from nextclick.lake import delta
from nextclick.lake.paths import Lake

KEY = "nextclick"
LISTS = "gold.recommendations"
POPULAR = "popular"
"""The model_version of lists that no personal model made."""


class Vectors(msgspec.Struct, frozen=True, kw_only=True):
    """Which vectors gold.item_vectors holds, and what folds a visitor into their space (nextclick/profile/embedding.py)."""

    table_version: int
    """Delta version of gold.item_vectors."""
    method: Literal["als", "item2vec"]
    dimensions: int
    regularization: float = 0.0
    """λ of the factorization; for item2vec, 0."""
    alpha: float = 0.0
    """Confidence of an item of strength s is 1 + alpha · s; for item2vec, 0."""


class PinnedSessionModel(msgspec.Struct, frozen=True, kw_only=True):
    """What answers an open session: nextclick/next_item/session_model.py."""

    name: str = ""
    """What was chosen: a kind of part, or `blend`; empty where there is none."""
    folder: str = ""
    """Its files, below the lake's state folder."""
    digest: str = ""
    """sha256 of its card.json."""
    recipe: str = ""
    """What an update fits anew, as JSON."""
    reason: str = "The lists were published before there were session models: `nextclick train --force` makes one."
    """Why there is none, where there is none."""


class ListsManifest(msgspec.Struct, frozen=True, kw_only=True):
    """One state of the published lists. `lists_id` names those of one full publication; its updates keep the name."""

    lists_id: str
    """Sortable name of the full publication, unique in the lake."""
    kind: Literal["full", "update"]
    site: str
    model_version: str
    """Registered version of the model, or `popular`."""
    run_id: str | None
    """MLflow run of the model."""
    interactions_version: int
    """The cursor: the Delta version of gold.interactions that the lists account for."""
    interactions_id: str
    """Delta's id of that table: if it is another one, the cursor means nothing."""
    generated_at: datetime
    """Stamp of every row that this commit wrote: rows with a later one than yours are what changed."""
    people: int
    """People who are known; one about whom the model can say nothing has no list (popular items are the answer)."""
    changed: int
    """People whose lists this commit wrote or removed."""
    removed: list[str] = []
    """People whose list went, since nothing is known of them any more (a visitor became a known user)."""
    popular_version: int
    """Delta version of gold.popular_items that belongs to it."""
    similar_version: int
    """Delta version of gold.similar_items that belongs to it."""
    next_version: int | None = None
    """Delta version of gold.next_items that belongs to it; None for lists from before that table."""
    next_model: str | None = None
    """What made these (ml/lists/next_items.py names its models); None where no model beats what is popular: there are none."""
    next_recipe: str = ""
    """Its recipe as JSON, where it was chosen for the data at hand; else what the settings have under that name."""
    next_at: datetime | None = None
    """When."""
    session: PinnedSessionModel = PinnedSessionModel()
    vectors: Vectors | None = None
    """The item vectors that belong to it; None where no model has any."""
    state: str
    """Folder of the model that made them, below the lake's state folder."""
    digest: str
    """sha256 of that folder's card.json."""
    made_with: str = ""
    """The settings that decide what the lists are, as JSON: with others they are made anew, never mixed."""
    model_digest: str
    """The same of the model as it was registered, before any update."""


def encode(manifest: ListsManifest) -> dict[str, str]:
    """The manifest as a commit's custom metadata."""
    return {KEY: msgspec.json.encode(manifest).decode()}


def read(lake: Lake, version: int | None = None) -> ListsManifest | None:
    """The manifest of gold.recommendations at `version` (default: the newest); None before the first lists."""
    return next((manifest for at, manifest in history(lake) if version is None or at <= version), None)


def history(lake: Lake) -> Iterator[tuple[int, ListsManifest]]:
    """(Delta version, manifest) of each commit that changed lists, newest first.

    It ends at one that another version of nextclick wrote in a form of its own: as if there had been no lists, so the
    next publication is a full one.
    """
    table = delta.open_table(lake, LISTS)
    for commit in delta.history(lake, LISTS, table) if table else ():
        if KEY in commit:
            try:
                manifest = msgspec.json.decode(commit[KEY], type=ListsManifest)
            except msgspec.ValidationError:
                return
            yield commit["version"], manifest
