"""Back to an earlier export: its lists in gold, its model as champion, its cursor for the updates to come.

The key-value table goes back by flipping a pointer (serving); this brings gold and the
registry to the same export. It names the export that it wants, so it can be called
again after an interruption.
"""

import time

import msgspec
from deltalake import CommitProperties, DeltaTable
from deltalake.exceptions import DeltaError

from ml import champion, export, tracking
from ml.artifact import read_card
from ml.champion import Model, Standing
from nextclick import exports, locks
from nextclick.contract import Table
from nextclick.errors import ModelError
from nextclick.exports import POPULAR, Manifest
from nextclick.lake import Lake
from nextclick.report import JobReport
from nextclick.settings import Settings
from nextclick.tables import gold


def run(settings: Settings, name: str | None = None) -> JobReport:
    """Return to the export `name` (default: the one before the current), with the updates that it had got."""
    started, lake = time.monotonic(), settings.lake
    with locks.hold(lake.locks, "model", *export.TABLES, purpose="rollback"):
        current = exports.read(lake)
        version, wanted = _find(lake, name, current)
        if current is None or wanted.export != current.export:
            wanted = _restore(lake, version, wanted)
        _crown(lake, wanted)
    return JobReport(
        job="rollback", written=wanted.people, details=export.details(wanted), seconds=time.monotonic() - started
    )


def _find(lake: Lake, name: str | None, current: Manifest | None) -> tuple[int, Manifest]:
    """The newest commit of the wanted export; names sort by time, so the one before is the next lower."""
    known = list(exports.history(lake))
    if name is None and current:
        name = max((manifest.export for _, manifest in known if manifest.export < current.export), default=None)
    for version, manifest in known:
        if manifest.export == name:
            return version, manifest
    names = ", ".join(sorted({manifest.export for _, manifest in known})) or "none"
    raise ModelError(f"There is no export {name or 'before the current one'} to go back to. Those there are: {names}.")


def _restore(lake: Lake, version: int, wanted: Manifest) -> Manifest:
    """The three tables as they were; the lists last, with the manifest that names the other two's versions."""
    if not (lake.state / wanted.state / "card.json").exists():
        raise ModelError(f"The model of export {wanted.export} is gone (export.keep_versions). Call `nextclick train`.")
    restored = msgspec.structs.replace(
        wanted,
        popular_version=_back(lake, gold.POPULAR_ITEMS, wanted.popular_version),
        similar_version=_back(lake, gold.SIMILAR_ITEMS, wanted.similar_version),
    )
    _back(lake, gold.RECOMMENDATIONS, version, restored)
    return restored


def _back(lake: Lake, table: Table, version: int, manifest: Manifest | None = None) -> int:
    """Restore one table; returns the version that this made."""
    properties = CommitProperties(custom_metadata=exports.encode(manifest)) if manifest else None
    delta = DeltaTable(lake.table(table.name))
    try:
        delta.restore(version, commit_properties=properties)
    except (DeltaError, OSError) as error:
        raise ModelError(
            f"{table.name} cannot go back to version {version}: {error}. Call `nextclick train`."
        ) from error
    return int(DeltaTable(lake.table(table.name)).version())


def _crown(lake: Lake, wanted: Manifest) -> None:
    """The model of the export is champion again; an export of popular lists has none."""
    before = champion.standing(lake)
    popular = wanted.model_version == POPULAR
    reigning, previous = tracking.promote(lake, None if popular else wanted.model_version)
    fallback = _popular(lake, wanted) if popular else None
    champion.write(lake, Standing(champion=reigning, previous=previous, fallback=fallback, attempt=before.attempt))


def _popular(lake: Lake, wanted: Manifest) -> Model:
    """The popular lists of an export, as a model that may be served."""
    folder = f"exports/{wanted.export}/full"
    card = read_card(lake.state / folder, wanted.model_digest)
    return Model(
        version=POPULAR,
        run_id=None,
        recipe=card.recipe,
        metrics={},
        interactions_version=card.source.version,
        interactions_id=card.source.table_id,
        as_of=card.as_of,
        artifact=folder,
        digest=wanted.model_digest,
    )
