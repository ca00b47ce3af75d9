"""Gold's lists into the key-value table: a new version aside, checked, then one flip.

    pin the lists ─► fill a version ─► read it back, count, compare ─► seal ─► flip ─► drop old ones

A full version is filled from all rows, an incremental one from a copy of the version
that is served and the lists made since. Killed anywhere before the flip, the old version
is served and the next export starts over; killed after it, the next one tidies up.
"""

import contextlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from nextclick import kv
from nextclick.errors import ModelError
from nextclick.kv.backends import BACKENDS
from nextclick.kv.lists.packing import CTR_MODEL, RANKER
from nextclick.kv.lists.protocol import Entry, ListsTable, Pointer, VersionManifest, Writer
from nextclick.lake import duck, locks
from nextclick.report import JobReport
from nextclick.settings import Settings

if TYPE_CHECKING:  # pyarrow and deltalake are for exports alone: a look at what is served starts without them
    from duckdb import DuckDBPyConnection

    from serving.export.build import Beside
    from serving.export.gold_lists import ListsVersion, Packer

LOCK = "kv.recommendations"
Progress = Callable[[int, int], None]
"""Called with (rows done, rows in all)."""


class Outcome(NamedTuple):
    """The version that holds the lists, and how it came to."""

    manifest: VersionManifest
    kind: str
    read: int = 0
    """Rows of gold."""
    written: int = 0
    """Entries."""


class Plan(NamedTuple):
    """What the next version is to hold, and the one that is served now."""

    settings: Settings
    source: "ListsVersion"
    beside: "Beside"
    """What goes along."""
    served: VersionManifest | None
    database: "DuckDBPyConnection"
    """What counts, with a cursor for each question."""


def quiet(done: int, total: int) -> None:
    """Progress that nobody watches."""


def run(settings: Settings, progress: Progress | None = None, full: bool = False) -> JobReport:
    """Serve the newest lists of gold; does nothing if they are served, or were and were rolled back.

    `full` writes every list anew, whatever is there. Raises ModelError if the store fails or
    what it holds is not what was sent; TableMissing without lists; TableBusy beside another export.
    """
    from nextclick import ctr
    from nextclick.next_item import ranker
    from nextclick.profile import predictions
    from serving.export import gold_lists, item_entries
    from serving.export.build import Beside

    started = time.perf_counter()
    table = kv.open_table(settings)
    with _exclusive(settings, "export"), gold_lists.readable():
        source = gold_lists.pin(settings.lake)
        lake = settings.lake
        beside = Beside(item_entries.version(settings), ctr.read(lake), predictions.read(lake), ranker.read(lake))
        sealed = None if full else _sealed(table, source, beside)
        if sealed:
            done = Outcome(sealed, _adopt(table, sealed))
        else:
            with duck.connect(lake) as database:
                plan = Plan(settings, source, beside, None if full else table.current(), database)
                done = _build(table, plan, progress or quiet)
            _flip(table, done.manifest.version)
        _drop_old(table, settings.export.keep_versions)
        served = table.current() or done.manifest
    return JobReport(
        job="export",
        read=done.read,
        written=done.written,
        seconds=time.perf_counter() - started,
        details=_facts(served) | {"kind": done.kind, "newest": done.manifest.version},
    )


def current(settings: Settings) -> dict[str, Any] | None:
    """What is served: version, people, exported_at and what it was made from; None before the first export."""
    manifest = kv.current(settings)
    return _facts(manifest) if manifest else None


def versions(settings: Settings) -> list[dict[str, Any]]:
    """The versions that a rollback can go to and the one that is served, newest first."""
    table = kv.open_table(settings)
    served = table.pointer()
    return [
        _facts(manifest) | {"current": bool(served and served.version == manifest.version)}
        for manifest in table.versions()
    ]


def rollback_target(settings: Settings, to: int | None = None) -> VersionManifest:
    """The version that `rollback` would serve: `to`, or the one served before the current one.

    Its `lists` name the model, the cursor and gold's tables that belong to it, for the caller that moves these along.
    """
    table = kv.open_table(settings)
    served, kept = table.current(), {manifest.version: manifest for manifest in table.versions()}
    target = to or (served.previous if served else None)
    if target in kept:
        return kept[target]
    wanted = f"version {to}" if to else f"version before {served.version}" if served else "export"
    raise ModelError(
        f"There is no {wanted} to go back to. Kept: {', '.join(map(str, kept)) or 'none'} "
        "(export.keep_versions says how many)."
    )


def rollback(settings: Settings, to: int | None = None) -> VersionManifest:
    """Serve version `to`, or the one before the current one; returns its manifest. No list is copied."""
    with _exclusive(settings, "rollback"):
        target = rollback_target(settings, to)
        _flip(kv.open_table(settings), target.version)
    return target


@contextmanager
def _exclusive(settings: Settings, purpose: str) -> Iterator[None]:
    lake, shared = settings.lake, BACKENDS[settings.kv.backend].shared
    with locks.hold(lake.locks if shared else lake.own_locks, LOCK, purpose=purpose):
        yield


def _flip(table: ListsTable, version: int) -> None:
    before = table.pointer()
    table.point(Pointer(version, max(version, before.newest if before else 0)))


def _sealed(table: ListsTable, source: "ListsVersion", beside: "Beside") -> VersionManifest | None:
    """The version that holds these very lists already: the served one, or else the newest.

    None if it is served with a catalogue, a click model or predictions that are not the newest.
    """
    served = table.current()
    candidates = [served, *table.versions()] if served else table.versions()
    match = next((manifest for manifest in candidates if manifest.lists == source.lists), None)
    stale = match and served and match.version == served.version and not beside.is_in(match)
    return None if stale else match


def _adopt(table: ListsTable, sealed: VersionManifest) -> str:
    """Serve a version that is there: one whose export died before its flip, or one that gold went back to.

    One that was rolled back from stays where it is, though gold still holds its lists.
    """
    served = table.pointer()
    if served and served.version == sealed.version:
        return "nothing new"
    if served and served.version < sealed.version <= served.newest:
        return "rolled back"
    _flip(table, sealed.version)
    return "resumed"


def _drop_old(table: ListsTable, keep: int) -> None:
    """Keep the `keep` versions served last, and the last one of each of the `keep` full exports they come from.

    So a day of updates does not push out what the night before had made. After a rollback, all stay for now.
    """
    served, kept = table.pointer(), {manifest.version: manifest for manifest in table.versions()}
    if not served or served.version != served.newest:
        return
    line: list[int] = []
    exports: set[str] = set()
    version: int | None = served.version
    while version in kept:
        made_by, before = kept[version].lists.lists_id, kept[version].previous or 0
        if len(line) < keep or (made_by not in exports and len(exports) < keep):
            line.append(version)
        exports.add(made_by)
        version = max((other for other in kept if other <= before), default=None)
    for old in kept.keys() - set(line):
        table.drop(old)


def _build(table: ListsTable, plan: Plan, progress: Progress) -> Outcome:
    """Seal the next version by the cheapest way whose result holds."""
    from serving.export import histories as item_histories
    from serving.export import person_predictions
    from serving.export.build import Mismatch, VersionBuilder, updates_since
    from serving.export.gold_lists import Disordered

    pointer, source, served = table.pointer(), plan.source, plan.served
    updates = updates_since(source, served) if served else []
    same = served and served.lists == source.lists
    ways = [("incremental", served, False)] if updates or same else []
    for way, base, ordered in [*ways, ("full", None, False), ("full, sorted", None, True)]:
        try:
            with _writer(table, base) as writer:
                snapshot = table.snapshot(base.version) if base else None
                beside = partial(_beside, plan, base is None)
                histories = partial(item_histories.entries, plan.database, plan.settings, source)
                foreseen = partial(person_predictions.entries, plan.database, source, plan.beside.predictions)
                filling = VersionBuilder(writer, source, beside, histories, foreseen, snapshot, updates, ordered)
                filling.fill(progress)
                manifest = filling.seal(pointer.version if pointer else None, plan.beside)
                return Outcome(manifest, way, filling.read, filling.written)
        except (Mismatch, Disordered) as error:
            reason = error
            if base is None and isinstance(error, Mismatch):
                break  # sorting does not mend it
    raise ModelError(
        f"The lists at version {source.version} of gold.recommendations cannot be served: {reason} "
        "What was served before still is. `nextclick train` makes them anew."
    ) from reason


def _beside(plan: Plan, full: bool, packer: "Packer") -> list[Entry]:
    """The entries beside the lists; what people do next is counted anew by full exports alone."""
    from nextclick import ctr
    from nextclick.next_item import ranker
    from serving.export import behaviour_counts, item_entries, person_predictions

    settings, source = plan.settings, plan.source
    entries = item_entries.vectors(source, packer)  # these two number items, and the catalogue has a place for each
    entries += item_entries.entries(plan.database, settings, source, packer, plan.beside.catalogue)
    entries += behaviour_counts.entries(settings, source.lists.site) if full else []
    model = plan.beside.click_model
    entries += person_predictions.said(settings, plan.beside.predictions)
    if plan.beside.ranker or (plan.served and plan.served.ranker):  # an empty one stands for none, where a copy had one
        entries.append((RANKER, ranker.encode(plan.beside.ranker) if plan.beside.ranker else b""))
    return entries + ([(CTR_MODEL, ctr.encode(model))] if model else [])


@contextmanager
def _writer(table: ListsTable, base: VersionManifest | None) -> Iterator[Writer]:
    writer = table.begin(base.version if base else None)
    try:
        yield writer
    except BaseException:
        with contextlib.suppress(ModelError):  # the store may be what failed; the next export removes the debris
            writer.abandon()
        raise


def _facts(manifest: VersionManifest) -> dict[str, Any]:
    return {
        "version": manifest.version,
        "people": manifest.people,
        "exported_at": manifest.exported_at.isoformat(),
        "model_version": manifest.lists.model_version,
        "interactions_version": manifest.lists.interactions_version,
        "rows": manifest.rows,
    }
