"""Back to earlier lists: their tables in gold, its model as champion, its cursor for the updates to come.

The key-value table goes back by flipping a pointer (serving); this brings gold and the
registry to the same lists. It is told which, so it can be called again after an interruption.
"""

import time
from datetime import datetime

import msgspec

from ml.jobs import publish_lists
from ml.registry import champion, tracking
from ml.registry.artifact import read_card
from ml.registry.champion import Model, ModelStatus
from nextclick.contracts import gold_lists
from nextclick.contracts.table import Table
from nextclick.errors import ModelError
from nextclick.lake import commits, delta, files, lists_manifest, locks
from nextclick.lake.lists_manifest import POPULAR, ListsManifest
from nextclick.lake.paths import Lake
from nextclick.report import JobReport
from nextclick.settings import Settings


def run(settings: Settings, wanted: ListsManifest) -> JobReport:
    """Bring gold and the champion to the lists that `wanted` describes, as a version of the key-value table names them.

    Nothing happens where they are there already. If MLflow's store cannot be used, that
    is reported; people are served from here all the same, and the next training tells it.
    """
    started, lake = time.monotonic(), settings.lake
    with locks.hold(lake.locks, "model", *publish_lists.TABLES, purpose="rollback"):
        if _which(lists_manifest.read(lake)) != _which(wanted):
            wanted = _restore(lake, wanted)
        missed = _crown(lake, wanted)
    details = publish_lists.details(wanted) | {"mlflow": missed}
    return JobReport(job="rollback", written=wanted.people, details=details, seconds=time.monotonic() - started)


def _which(manifest: ListsManifest | None) -> tuple[str, datetime] | None:
    """What tells lists from all others."""
    return (manifest.lists_id, manifest.generated_at) if manifest else None


def _restore(lake: Lake, wanted: ListsManifest) -> ListsManifest:
    """The tables as they were; the lists last, with their manifest, which pins the others."""
    version = next((at for at, manifest in lists_manifest.history(lake) if _which(manifest) == _which(wanted)), None)
    if version is None:
        raise ModelError(f"gold.recommendations remembers no lists {wanted.lists_id}. Call `nextclick train`.")
    if not files.exists(f"{lake.shared}/{wanted.state}/card.json"):
        wanted = _from_full(lake, wanted)
    _back(lake, gold_lists.POPULAR_ITEMS, wanted.popular_version)
    _back(lake, gold_lists.SIMILAR_ITEMS, wanted.similar_version)
    if wanted.next_version is not None:
        _back(lake, gold_lists.NEXT_ITEMS, wanted.next_version)
    if wanted.vectors is not None:
        _back(lake, gold_lists.ITEM_VECTORS, wanted.vectors.table_version)
    _back(lake, gold_lists.RECOMMENDATIONS, version, wanted)
    return wanted


def _from_full(lake: Lake, wanted: ListsManifest) -> ListsManifest:
    """With the cursor of the full publication, where the state after its updates is gone: the next update repeats them."""
    folder = f"{publish_lists.FOLDER}/{wanted.lists_id}/full"
    card = read_card(f"{lake.shared}/{folder}", wanted.model_digest)
    return msgspec.structs.replace(
        wanted, interactions_version=card.source.version, state=folder, digest=wanted.model_digest
    )


def _back(lake: Lake, table: Table, version: int, manifest: ListsManifest | None = None) -> None:
    properties = commits.commit_properties(lists_manifest.encode(manifest)) if manifest else None
    present = delta.require(lake, table.name)
    if present.version() == version:
        return
    try:
        present.restore(version, commit_properties=properties)
    except delta.errors() as error:
        raise ModelError(
            f"{table.name} cannot go back to version {version}: {error}. Call `nextclick train`."
        ) from error


def _crown(lake: Lake, wanted: ListsManifest) -> str | None:
    """The model of the lists is champion again; popular lists have none. Returns why MLflow was not told, if so."""
    before, popular = champion.model_status(lake), wanted.model_version == POPULAR
    missed = None
    try:
        reigning, previous = tracking.promote(lake, None if popular else wanted.model_version)
    except ModelError as error:
        reigning, previous, missed = None if popular else _model(lake, wanted, before), before.champion, str(error)
    fallback = _model(lake, wanted, before) if popular else None
    after = ModelStatus(
        champion=reigning, previous=previous, fallback=fallback, attempt=before.attempt, owed=bool(missed)
    )
    champion.write(lake, after)
    return missed


def _model(lake: Lake, wanted: ListsManifest, before: ModelStatus) -> Model:
    """The model of the lists: as it is known, or else as it lies with its lists, whose figures are not."""
    for known in (before.champion, before.previous, before.fallback):
        if known and known.digest == wanted.model_digest and files.exists(f"{lake.shared}/{known.artifact}/card.json"):
            return known
    folder = f"{publish_lists.FOLDER}/{wanted.lists_id}/full"
    card = read_card(f"{lake.shared}/{folder}", wanted.model_digest)
    return Model(
        version=wanted.model_version,
        run_id=wanted.run_id,
        recipe=card.recipe,
        metrics={},
        interactions_version=card.source.version,
        interactions_id=card.source.table_id,
        as_of=card.as_of,
        artifact=folder,
        digest=wanted.model_digest,
    )
