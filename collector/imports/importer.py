"""One import: history files → landing log and quarantine log, in transactions that survive a kill."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path

import msgspec

from collector.imports import files
from collector.imports.journal import FileProgress, Journal
from collector.imports.mapping import Mapping
from collector.imports.rows import RowMapper, Unmappable, text
from collector.imports.sources import Record, Source, open_source
from nextclick.events import Reject, derived_id, encode
from nextclick.landing_writer import StagedWriter, settle
from nextclick.settings import Settings

_CHUNK = 2_000
"""Records between two looks at the segment's size."""


class ImportReport(msgspec.Struct, kw_only=True):
    """What one import did; row counts are of this run only."""

    files: int = 0
    """Files read, in whole or from where an earlier import stopped."""
    rows: int = 0
    accepted: int = 0
    rejected: int = 0
    skipped: int = 0
    """Files that were imported completely before."""
    reasons: dict[str, int] = {}
    """Rejects by reason code."""
    notes: list[str] = []
    """What a person should know: files that were skipped, resumed, empty or cut."""
    seconds: float = 0.0


class _Chunk(msgspec.Struct):
    """The outcome of some records of one file, in their order."""

    accepted: list[bytes] = []
    rejected: list[bytes] = []
    last: int = 0
    told: int = 0
    """Bytes of the file read so far."""


class Importer:
    """Imports files by one mapping into one site; use it as a context, under the import's lock."""

    def __init__(self, settings: Settings, mapping: Mapping, kind: str, site: str) -> None:
        lake = settings.lake
        self._mapping, self._kind, self._site = mapping, kind, site
        self._max_bytes = settings.landing.max_event_bytes
        self._segment_bytes = settings.landing.segment_bytes
        self._source_name = f"import:{mapping.name}"
        self._journal = Journal(lake.imports)
        for folder in (lake.landing, lake.quarantine):
            settle(folder, self._journal.committed_segments)
        self._landing = StagedWriter(lake.landing, settings.landing)
        self._quarantine = StagedWriter(lake.quarantine, settings.landing)
        self._uncommitted: dict[str, FileProgress] = {}
        self._reasons: Counter[str] = Counter()
        self.report = ImportReport()

    def __enter__(self) -> "Importer":
        return self

    def __exit__(self, *_: object) -> None:
        self._landing.abort()
        self._quarantine.abort()

    def run(self, paths: Iterable[Path], again: bool, tell: Callable[[int], None]) -> ImportReport:
        """Import the files; `tell` is called with the bytes of history read since its last call."""
        started = time.monotonic()
        for path in paths:
            self._file(path, again, tell)
        if self._uncommitted:
            self._commit()
        self.report.reasons = dict(sorted(self._reasons.items()))
        self.report.seconds = round(time.monotonic() - started, 3)
        return self.report

    def _file(self, path: Path, again: bool, tell: Callable[[int], None]) -> None:
        size = path.stat().st_size
        progress = self._progress(path, again)
        if progress.complete:
            self.report.skipped += 1
            self.report.notes.append(f"{path}: skipped, it was imported before (import it once more with --again)")
            tell(size)
            return
        if progress.last:
            self.report.notes.append(f"{path}: goes on behind line {progress.last:,}")
        self.report.files += 1
        with closing(open_source(path, self._mapping)) as source:
            told = 0
            for chunk in self._chunks(source, progress.last):
                progress = self._land(chunk, progress)
                tell(chunk.told - told)
                told = chunk.told
            tell(size - told)
        if not progress.accepted and not progress.rejected:
            self.report.notes.append(f"{path}: empty, 0 rows")
        self._uncommitted[progress.key] = msgspec.structs.replace(progress, complete=True)

    def _progress(self, path: Path, again: bool) -> FileProgress:
        content = msgspec.json.encode(self._mapping)
        key = derived_id(files.digest(path), content, self._kind, self._site)
        known = self._uncommitted.get(key) or (None if again else self._journal.progress(key))
        return known or FileProgress(key=key, path=str(path))

    def _chunks(self, source: Source, after: int) -> Iterator[_Chunk]:
        to_payload = RowMapper(
            self._mapping, self._kind, self._site, self._max_bytes, source.path.stat().st_mtime_ns // 1_000_000
        )
        records = source.records(after)
        last = after
        while True:
            chunk = _Chunk(last=last)
            for record in islice(records, _CHUNK):
                self._one(record, to_payload, source.path, chunk)
            chunk.told = source.tell()
            if chunk.last == last:
                break
            last = chunk.last
            yield chunk
        if source.damage:
            yield self._cut(source, last)

    def _one(self, record: Record, to_payload: RowMapper, path: Path, chunk: _Chunk) -> None:
        chunk.last = record.last
        try:
            if isinstance(record.row, Unmappable):
                raise record.row
            chunk.accepted.append(to_payload(record.row))
        except Unmappable as fault:
            chunk.rejected.append(self._reject(fault.reason, f"{path}:{record.first}: {fault}", _as_it_stands(record.raw)))

    def _cut(self, source: Source, last: int) -> _Chunk:
        message = f"{source.path}:{last + 1}: the file ends before its end: {source.damage}"
        self.report.notes.append(f"{message}; the rows before it are in")
        return _Chunk(rejected=[self._reject("cut_short", message, source.fragment, whole=False)], last=last, told=source.tell())

    def _reject(self, reason: str, message: str, payload: str, whole: bool = True) -> bytes:
        self._reasons[reason] += 1
        raw = payload.encode("utf-8", "surrogateescape")
        try:
            kept = raw[: self._max_bytes].decode("utf-8", "strict" if len(raw) <= self._max_bytes else "ignore")
        except UnicodeDecodeError:
            kept, whole = raw.decode("utf-8", "backslashreplace")[: self._max_bytes], False
        whole = whole and len(raw) <= self._max_bytes
        return encode(Reject(reason=reason, message=message.encode("utf-8", "backslashreplace").decode(), payload=kept, replayable=whole))

    def _land(self, chunk: _Chunk, progress: FileProgress) -> FileProgress:
        if self._landing.size and self._landing.size + sum(map(len, chunk.accepted)) > self._segment_bytes * 0.9:
            self._commit()
        now = time.time_ns() // 1_000_000
        self._landing.extend(chunk.accepted, self._source_name, now)
        self._quarantine.extend(chunk.rejected, self._source_name, now)
        accepted, rejected = len(chunk.accepted), len(chunk.rejected)
        self.report.accepted += accepted
        self.report.rejected += rejected
        self.report.rows += accepted + rejected
        progress = msgspec.structs.replace(
            progress, last=chunk.last, accepted=progress.accepted + accepted, rejected=progress.rejected + rejected
        )
        self._uncommitted[progress.key] = progress
        return progress

    def _commit(self) -> None:
        """Make all of it durable, say so in the journal, publish: killed anywhere, it is in once or not at all."""
        segments = [*self._landing.seal(), *self._quarantine.seal()]
        self._journal.write(segments, self._uncommitted.values())
        self._landing.publish()
        self._quarantine.publish()
        self._uncommitted.clear()


def _as_it_stands(raw: object) -> str:
    if isinstance(raw, bytes):
        return raw.decode("utf-8", "surrogateescape").rstrip("\r\n")
    if isinstance(raw, list):
        return "".join(raw).rstrip("\r\n")
    return text(raw)
