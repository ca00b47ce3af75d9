"""One import: history files → landing log and quarantine log, in transactions that survive a kill."""

import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path

import msgspec

from collector.imports import files
from collector.imports.chunks import Chunk, FileEnd, pieces
from collector.imports.journal import FileProgress, Journal
from collector.imports.readers import Readers, worth_it
from collector.imports.reading import Reading
from nextclick.contracts.events import derived_id, encode
from nextclick.errors import LakeError, TableBusy
from nextclick.landing import outgoing
from nextclick.landing.writer import StagedWriter, settle
from nextclick.settings import Settings
from nextclick.shipping import shipper


class ImportReport(msgspec.Struct, frozen=True, kw_only=True):
    """What one import did; all counts are of this run only."""

    files: int
    """Files read, whole or from where an earlier import stopped."""
    rows: int
    accepted: int
    rejected: int
    skipped: int
    """Files left out, since they were imported completely before."""
    reasons: dict[str, int]
    """Rejects by reason code."""
    notes: list[str]
    """What a person should know of single files: resumed, empty, cut."""
    seconds: float


class Importer:
    """Imports files as one `Reading` reads them; use it as a context, under the import's lock."""

    def __init__(self, settings: Settings, reading: Reading) -> None:
        self._reading = reading
        self._max_bytes = settings.landing.max_event_bytes
        self._settings = settings
        self.journal = Journal(settings.lake.imports)
        self._settle()
        self._landing, self._quarantine = (StagedWriter(log, settings.landing) for log in outgoing.logs(settings))
        self._shipper = shipper.Shipper(settings) if shipper.has_to_ship(settings) else None
        self._unshipped = ""
        self._uncommitted: dict[str, FileProgress] = {}
        self._keys: dict[Path, str] = {}
        self._counts: Counter[str] = Counter()
        self._reasons: Counter[str] = Counter()
        self._notes: list[str] = []
        self._started = self._committed_at = time.monotonic()

    def __enter__(self) -> "Importer":
        return self

    def __exit__(self, *_: object) -> None:
        self._landing.close()
        self._quarantine.close()
        with suppress(LakeError):  # else the next import does it
            self._settle()

    def run(self, paths: Iterable[Path], again: bool, tell: Callable[[int], None]) -> ImportReport:
        """Import the files; `tell` hears how many bytes of history are done. `again`: also what was imported before."""
        paths, done = [*paths], 0
        with self._readers(paths, again) as readers:
            for path in paths:
                self._file(path, again, lambda read, before=done: tell(before + read), readers)  # type: ignore[misc]
                done += path.stat().st_size
                tell(done)
        self.commit()
        return self.report()

    def report(self) -> ImportReport:
        """What was done up to now."""
        return ImportReport(
            **{name: self._counts[name] for name in ("files", "rows", "accepted", "rejected", "skipped")},
            reasons=dict(sorted(self._reasons.items())),
            notes=[*self._notes, *filter(None, [self._unshipped])],
            seconds=round(time.monotonic() - self._started, 3),
        )

    def _readers(self, paths: Iterable[Path], again: bool) -> AbstractContextManager[Readers | None]:
        """Processes that read what is to be read of the files; None where this one does."""
        unread: dict[str, tuple[Path, int]] = {}
        for path in paths:
            progress = self._progress(path, again)
            if not progress.complete:
                unread.setdefault(progress.key, (path, progress.last))
        files = [*unread.values()]
        processes = worth_it(self._reading, files)
        return nullcontext() if processes < 2 else Readers(self._reading, files, self._max_bytes, processes)

    def _file(self, path: Path, again: bool, tell: Callable[[int], None], readers: Readers | None) -> None:
        progress = self._progress(path, again)
        if progress.complete:
            self._counts["skipped"] += 1
            return
        self.begin(progress)
        damage = None
        shared = readers and readers.gives(path)
        for piece in shared or pieces(self._reading, path, progress.last, self._max_bytes):
            if isinstance(piece, FileEnd):
                damage = piece.damage
            else:
                progress = self.land(piece.chunk, progress)
                tell(piece.bytes_read)
        if damage:
            self._notes.append(f"{path}: cut short, {damage}; the rows before are in")
        elif not progress.accepted + progress.rejected:
            self._notes.append(f"{path}: empty, 0 rows")
        self.complete(progress)

    def _progress(self, path: Path, again: bool) -> FileProgress:
        if path not in self._keys:
            self._keys[path] = derived_id(files.digest(path), *self._reading.key(path))
        key = self._keys[path]
        known = self._uncommitted.get(key) or (None if again else self.journal.progress(key))
        return known or FileProgress(key=key, path=str(path))

    def begin(self, progress: FileProgress) -> FileProgress:
        """Count a file that is read now, whole or from where an earlier import stopped."""
        if progress.last:
            self._notes.append(f"{progress.path}: goes on behind line {progress.last:,}")
        self._counts["files"] += 1
        return progress

    def complete(self, progress: FileProgress) -> None:
        """There is nothing more in the file; to be committed later."""
        self._uncommitted[progress.key] = msgspec.structs.replace(progress, complete=True)

    def land(self, chunk: Chunk, progress: FileProgress) -> FileProgress:
        """Append a chunk, to be committed later; the progress with it."""
        rejects = [encode(reject) for reject in chunk.rejected]
        if not (self._landing.fits(chunk.accepted) and self._quarantine.fits(rejects)):
            self.commit()
        now = time.time_ns() // 1_000_000
        self._landing.extend(chunk.accepted, self._reading.source, now)
        self._quarantine.extend(rejects, self._reading.source, now)
        accepted, rejected = len(chunk.accepted), len(rejects)
        self._counts.update(accepted=accepted, rejected=rejected, rows=accepted + rejected)
        self._reasons.update(reject.reason for reject in chunk.rejected)
        progress = msgspec.structs.replace(
            progress, last=chunk.last, accepted=progress.accepted + accepted, rejected=progress.rejected + rejected
        )
        self._uncommitted[progress.key] = progress
        return progress

    def commit(self) -> None:
        """Make what was landed durable, say so in the journal, publish: killed anywhere, it is in once or not at all."""
        if not self._uncommitted:
            return
        segments = [*self._landing.seal(), *self._quarantine.seal()]
        self.journal.write(segments, self._uncommitted.values())
        self._landing.publish()
        self._quarantine.publish()
        self._uncommitted.clear()
        self._committed_at = time.monotonic()
        self._ship()

    def _ship(self) -> None:
        """Bring what is published where bronze reads it; what cannot be is said, and goes with the next commit or `nextclick ship`."""
        self._unshipped = ""
        try:
            if self._shipper:
                self._shipper.round()
        except TableBusy:  # another process ships it
            return
        except LakeError as error:
            self._unshipped = str(error)

    def commit_every(self, seconds: float) -> None:
        """Commit what was landed, unless the last commit was less than that ago."""
        if time.monotonic() - self._committed_at >= seconds:
            self.commit()

    def _settle(self) -> None:
        for folder in outgoing.all_logs(self._settings):
            settle(folder, self.journal.committed_segments)
