"""Incremental update: what changed since the lists' cursor goes into them, without a new fit.

People who changed are folded in with their whole history, new people and items get
vectors, items that were used are solved anew, and the lists of those who changed are
made anew (the popular list is refreshed, too). The updated vectors are stored with the
lists, never as the champion. The cursor stands in the manifest of the lists themselves,
so after new lists or a rollback an update goes on from the cursor of what is there.
"""

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ml.data import interactions
from ml.data.interactions import Interactions, Rows, TableVersion
from ml.jobs import publish_lists
from ml.lists import item_vectors, next_items, similar_items
from ml.lists.rows import ListStamp, personal_rows, popular_rows, similar_rows
from ml.models.protocol import FoldIn, Stages, quiet
from ml.registry import artifact, tracking
from ml.registry.artifact import Artifact
from ml.report import model_figures
from nextclick.contracts import gold_lists
from nextclick.errors import ModelError
from nextclick.lake import lists_manifest, locks, table_files
from nextclick.lake.lists_manifest import ListsManifest
from nextclick.report import JobReport
from nextclick.settings import Settings


class Update(NamedTuple):
    """A model after an update, and what is new in it."""

    artifact: Artifact
    people: Rows
    """Those who changed and have a history."""
    new_items: Rows
    removed: pa.StringArray
    """Ids of those who had a list and have no history any more."""


def run(settings: Settings, progress: Stages = quiet) -> JobReport:
    """Bring the published lists up to gold.interactions as it stands; without changes nothing is written."""
    started = time.time()
    with locks.hold(settings.lake.locks, *publish_lists.TABLES, purpose="update"):
        current = lists_manifest.read(settings.lake)
        if current is None:
            raise ModelError("There are no published lists to update. Call `nextclick train`.")
        if current.made_with != publish_lists.made_with(settings):
            raise ModelError(
                f"The lists were made with other settings ({current.made_with}; now {publish_lists.made_with(settings)}): "
                "an update would mix them. Call `nextclick train`, which makes all lists anew."
            )
        changed, source = interactions.changed_people(settings, current.interactions_version, current.interactions_id)
        if not len(changed):
            return JobReport(job="update", details=publish_lists.details(current), seconds=time.time() - started)
        base = artifact.load(f"{settings.lake.shared}/{current.state}", current.digest)
        pairs, source = interactions.read(settings, version=source.version)
        update = take_in(base, pairs, source, changed)
        manifest = _write(settings, current, update, progress)
        listed = model_figures.of_lists(settings, manifest, update.artifact.card.as_of)
        figures = model_figures.add(settings, listed)
    facts = publish_lists.details(manifest) | {
        "new_people": len(update.artifact.people) - len(base.people),
        "new_items": len(update.new_items),
        "removed": len(update.removed),
        "figures": figures,
        "next_items": f"as of {manifest.next_at:%Y-%m-%d %H:%M}" if manifest.next_at else "none",
    }
    facts["mlflow"] = _log(settings, manifest, source, facts, started)
    return JobReport(
        job="update", read=len(changed), written=manifest.changed, details=facts, seconds=time.time() - started
    )


def take_in(base: Artifact, pairs: Interactions, source: TableVersion, changed: pa.StringArray) -> Update:
    """The model after the people `changed`; `pairs` are all pairs there are now."""
    newcomers = changed.filter(pa.array(base.people.rows(changed) < 0))
    people = base.people.extended(newcomers.filter(pc.is_in(newcomers, pairs.people.ids)))
    items = base.items.extended(pairs.items.ids.filter(pa.array(base.items.rows(pairs.items.ids) < 0)))
    new_items = np.arange(len(base.items), len(items), dtype=np.int32)
    pairs = replace(pairs.over(people, items), now=base.card.as_of)
    touched = people.rows(changed)
    touched = touched[touched >= 0]
    has_history = np.isin(touched, pairs.person)
    model = base.model
    model = model.fold_in(pairs, touched, new_items) if isinstance(model, FoldIn) else model.recipe.fit(pairs)
    card = msgspec.structs.replace(base.card, source=source, as_of=pairs.as_of, people=len(people), items=len(items))
    updated = Artifact(card, model, base.popular.recipe.fit(pairs), people, items, pairs.seen)
    return Update(updated, touched[has_history], new_items, people.take(touched[~has_history]))


def _write(settings: Settings, current: ListsManifest, update: Update, progress: Stages) -> ListsManifest:
    """The lists of those who changed in the place of their old ones; the state first, the commit with the cursor last."""
    lake, now, fresh = settings.lake, datetime.now(UTC), update.artifact
    stamp = ListStamp(settings.site, current.model_version, now)
    state = f"{publish_lists.FOLDER}/{current.lists_id}/update-{fresh.card.source.version}"
    digest = fresh.save(f"{lake.shared}/{state}")
    popular_version = table_files.replace(lake, gold_lists.POPULAR_ITEMS, popular_rows(fresh, settings.lists, stamp))
    similar_version, vectors = current.similar_version, current.vectors
    if len(update.new_items):
        new = fresh.items.take(update.new_items)
        alike = similar_items.of(settings, fresh, update.new_items)
        similar = similar_rows(*alike, settings.lists.similar_n, stamp)
        similar_version = table_files.upsert(lake, gold_lists.SIMILAR_ITEMS, "item_id", new, similar)
        vectors = item_vectors.add(settings, fresh, update.new_items, stamp, current.vectors)
    manifest = msgspec.structs.replace(
        _with_next_items(settings, current, fresh, stamp),
        kind="update",
        interactions_version=fresh.card.source.version,
        generated_at=now,
        people=int(np.count_nonzero(np.diff(fresh.seen.indptr))),
        changed=len(update.people) + len(update.removed),
        removed=update.removed.to_pylist(),
        popular_version=popular_version,
        similar_version=similar_version,
        vectors=vectors,
        state=state,
        digest=digest,
    )
    lists = personal_rows(fresh, update.people, settings.lists, stamp, partial(progress, "lists"))
    whose = pa.concat_arrays([fresh.people.take(update.people), update.removed])
    table_files.upsert(lake, gold_lists.RECOMMENDATIONS, "person_id", whose, lists, manifest)
    publish_lists.forget_old(settings)
    return manifest


def _with_next_items(settings: Settings, current: ListsManifest, fresh: Artifact, stamp: ListStamp) -> ListsManifest:
    """The manifest with what follows an item made anew, where that is due."""
    due = timedelta(minutes=settings.next_items.refresh_minutes)
    if not (due and current.next_model and current.next_at and stamp.generated_at - current.next_at >= due):
        return current
    refreshed = next_items.refresh(settings, fresh.items, stamp, current, f"{publish_lists.FOLDER}/{current.lists_id}")
    if refreshed is None:
        return current
    version, session = refreshed
    return msgspec.structs.replace(current, next_version=version, next_at=stamp.generated_at, session=session)


def _log(
    settings: Settings,
    manifest: ListsManifest,
    source: TableVersion,
    facts: dict[str, str | int | float | None],
    started: float,
) -> str:
    """The update's run, a child of the champion's; the lists are out already, so MLflow may be missing."""
    run = tracking.Run(
        name="update",
        source=source,
        digest=artifact.read_card(f"{settings.lake.shared}/{manifest.state}").ids_digest,
        started=started,
        params={"lists_id": manifest.lists_id, "interactions_version": source.version},
        metrics={name: float(value) for name, value in facts.items() if isinstance(value, int | float)}
        | {"changed": float(manifest.changed), "seconds": time.time() - started},
        tags={"champion": manifest.model_version}
        | ({"mlflow.parentRunId": manifest.run_id} if manifest.run_id else {}),
    )
    try:
        return tracking.log(settings.lake, run)
    except ModelError as error:
        return f"not logged: {error}"
