"""Full publication: the lists of the champion, or popular lists while there is none, into gold."""

import time
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np

from ml.lists import item_vectors, next_items, on_executors, similar_items
from ml.lists.next_items import Facts
from ml.lists.rows import ListStamp, personal_rows, popular_rows, similar_rows
from ml.models.protocol import Stages, quiet
from ml.registry import champion
from ml.registry.artifact import Artifact
from ml.registry.champion import Model
from ml.report import model_figures
from nextclick import formats
from nextclick.contracts import catalog, gold_lists
from nextclick.lake import files, lists_manifest, locks, table_files
from nextclick.lake.lists_manifest import ListsManifest
from nextclick.lake.paths import Lake
from nextclick.report import JobReport
from nextclick.settings import Settings

FOLDER = "lists"
"""Where models of lists are kept, below `Lake.shared`: a folder for each publication, in it `full` and its updates."""
MADE_WITH = ("lists", "next_items.days", "next_items.n", "sessions.gap_minutes", "sessions.gaps", "consent")
"""Settings that decide what the lists hold beside the model."""
TABLES = tuple(table.name for table in catalog.written_by("lists"))


def run(settings: Settings, progress: Stages = quiet, force: bool = False) -> JobReport:
    """Publish what the standing says is served, if it is not what the tables hold already, or was listed with other settings."""
    started = time.monotonic()
    served, current = champion.model_status(settings.lake).served, lists_manifest.read(settings.lake)
    if served is None:
        return JobReport(job="lists", details={"reason": "There is no model and no popular list: nothing to list."})
    known = current and current.model_digest == served.digest and current.made_with == made_with(settings)
    if current and known and not force:
        return JobReport(job="lists", details=details(current), seconds=time.monotonic() - started)
    with locks.hold(settings.lake.locks, *TABLES, purpose="lists"):
        artifact = champion.artifact(settings.lake, served)
        manifest, facts = write(settings, served, artifact, progress)
        figures = model_figures.add(settings, model_figures.of_lists(settings, manifest, served.as_of))
    seconds = time.monotonic() - started
    return JobReport(
        job="lists",
        read=len(artifact.people),
        written=manifest.people,
        details=details(manifest) | facts | {"figures": figures},
        seconds=seconds,
    )


def made_with(settings: Settings) -> str:
    """The settings that decide what lists are, as the manifest keeps them."""
    return formats.made_with(settings, MADE_WITH)


def write(
    settings: Settings, served: Model, artifact: Artifact, progress: Stages = quiet
) -> tuple[ListsManifest, Facts]:
    """Overwrite the tables; the last commit, to gold.recommendations, publishes them."""
    lake, now = settings.lake, datetime.now(UTC)
    stamp = ListStamp(settings.site, served.version, now)
    name = f"{now:%Y%m%dT%H%M%S%f}-{served.version}"
    state = _keep_state(lake, name, served.artifact)
    people = np.arange(len(artifact.people), dtype=np.int32)
    popular_version = table_files.replace(lake, gold_lists.POPULAR_ITEMS, popular_rows(artifact, settings.lists, stamp))
    alike, ids, items = similar_items.of(settings, artifact)
    similar = similar_rows(alike, ids, items, settings.lists.similar_n, stamp)
    similar_version = table_files.replace(lake, gold_lists.SIMILAR_ITEMS, similar)
    follows = next_items.publish(settings, artifact.items, stamp, f"{FOLDER}/{name}", progress)
    vectors = item_vectors.publish(settings, artifact, alike, stamp)
    manifest = ListsManifest(
        lists_id=name, kind="full", site=settings.site, model_version=served.version, run_id=served.run_id,
        interactions_version=served.interactions_version, interactions_id=served.interactions_id, generated_at=now,
        people=len(people), changed=len(people), popular_version=popular_version, similar_version=similar_version,
        next_version=follows.version, next_model=follows.model, next_recipe=follows.recipe, next_at=now,
        session=follows.session, vectors=vectors,
        made_with=made_with(settings), state=state, digest=served.digest, model_digest=served.digest,
    )  # fmt: skip
    if why_here := on_executors.why_not(settings, artifact):
        rows = personal_rows(artifact, people, settings.lists, stamp, partial(progress, "lists"))
        table_files.replace(lake, gold_lists.RECOMMENDATIONS, rows, manifest)
    else:
        on_executors.replace(settings, artifact, stamp, f"{lake.shared}/{FOLDER}/{name}/people", manifest)
    forget_old(settings)
    lists_by = f"in this process: {why_here}" if why_here else f"on the executors of {settings.spark.master}"
    return manifest, follows.facts | {"lists_by": lists_by}


def _keep_state(lake: Lake, name: str, artifact: str) -> str:
    """Keep the model's files beside the lists, so that updates need nothing else; where, below `Lake.shared`."""
    folder = f"{FOLDER}/{name}/full"
    files.copy_folder(f"{lake.shared}/{artifact}", f"{lake.shared}/{folder}")
    return folder


def forget_old(settings: Settings) -> None:
    """Keep the newest lists, twice as many as the key-value table keeps, with their models; remove what is older.

    The last lists of each full publication that the table may go back to stay as well. An update
    rewrites most files of gold.recommendations, so a day of updates would keep a hundred
    copies of it. What each publication began with stays: links to what the registry has.
    """
    lake, commits, keep = settings.lake, list(lists_manifest.history(settings.lake)), settings.export.keep_versions
    last_of: dict[str, tuple[int, ListsManifest]] = {}
    for version, manifest in commits:
        last_of.setdefault(manifest.lists_id, (version, manifest))
    newest = [*commits[: 2 * keep], *list(last_of.values())[:keep]]
    states = {manifest.state for _, manifest in newest}
    states |= {f"{Path(manifest.state).parent}/full" for _, manifest in commits}
    states |= {manifest.session.folder for _, manifest in newest if manifest.session.folder}
    versions = {
        gold_lists.RECOMMENDATIONS: {version for version, _ in newest},
        gold_lists.POPULAR_ITEMS: {manifest.popular_version for _, manifest in newest},
        gold_lists.SIMILAR_ITEMS: {manifest.similar_version for _, manifest in newest},
        gold_lists.NEXT_ITEMS: {manifest.next_version for _, manifest in newest if manifest.next_version is not None},
        gold_lists.ITEM_VECTORS: {manifest.vectors.table_version for _, manifest in newest if manifest.vectors},
    }
    for table, kept in versions.items():
        if kept:  # none of a table that is younger than the lists
            table_files.sweep(lake, table, kept)
    for name in files.names(f"{lake.shared}/{FOLDER}"):
        for state in files.names(f"{lake.shared}/{FOLDER}/{name}"):
            if (folder := f"{FOLDER}/{name}/{state}") not in states:
                files.remove(f"{lake.shared}/{folder}")


def details(manifest: ListsManifest) -> dict[str, str | int | float | None]:
    """What a report says of published lists."""
    return {
        "lists_id": manifest.lists_id,
        "model_version": manifest.model_version,
        "people": manifest.people,
        "interactions_version": manifest.interactions_version,
    }
