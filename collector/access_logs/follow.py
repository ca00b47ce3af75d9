"""`nextclick import --follow`: what a server adds to its logs, through their rotations, each line once."""

import time
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Final

from collector.access_logs.formats import named
from collector.access_logs.reading import LogReading, require_text
from collector.access_logs.tail import Tail, is_at, is_read, rotated
from collector.access_logs.values import Format
from collector.imports.chunks import chunks
from collector.imports.importer import Importer, ImportReport
from collector.imports.journal import FileProgress, Mark
from nextclick.contracts.events import derived_id
from nextclick.errors import UsageError
from nextclick.settings import Settings

_SEEN: Final = (-1, -1)


def follow_files(
    settings: Settings,
    importer: Importer,
    reading: LogReading,
    paths: Iterable[Path],
    stopped: Callable[[], bool],
    say: Callable[[str], None],
) -> ImportReport:
    """Take what is in the logs and what comes, until `stopped`; `say` hears what a person should know."""
    followers = [
        _Follower(settings, importer, reading, path, stopped, say)
        for path in dict.fromkeys(path.absolute() for path in paths)
    ]
    for follower in followers:
        follower.start()
    while not stopped():
        for follower in followers:
            follower.poll()
        importer.commit_every(settings.access_logs.publish_seconds)
        time.sleep(settings.access_logs.poll_seconds)
    importer.commit()
    return importer.report()


class _Follower:
    """Follows one path: the file that it names now, and those that it named before and that may still grow."""

    def __init__(
        self,
        settings: Settings,
        importer: Importer,
        reading: LogReading,
        path: Path,
        stopped: Callable[[], bool],
        say: Callable[[str], None],
    ) -> None:
        self._settings, self._importer, self._reading = settings, importer, reading
        self._path, self._stopped, self._say = path, stopped, say
        self._name = derived_id("follow", reading.site, path)
        self._format: Format | None = None
        self._live: Tail | None = None
        self._rotated: list[Tail] = []
        self._beside: dict[int, tuple[int, int]] = {}
        """Inode → size and time of change of a rotated file at the last look; _SEEN once it was looked into."""

    def start(self) -> None:
        """Find again what an earlier run followed, and what was rotated away meanwhile."""
        known = self._importer.journal.followed(self._name)
        if not known and not self._path.is_file():
            raise UsageError(f"{self._path} is not there. Name the log that a server writes.")
        for progress in known:
            if progress.mark and progress.last:
                self._format = named(progress.mark.format)
            if not progress.complete:
                self._resume(progress)
        began = self._began(known)
        old = [stat for stat in rotated(self._path).values() if stat.st_mtime_ns < began]
        self._beside = dict.fromkeys((stat.st_ino for stat in old), _SEEN)
        self._look()

    def _began(self, known: list[FileProgress]) -> int:
        """When the log was last changed before it was followed for the first time; what was rotated before is not ours."""
        for progress in known:
            if progress.key == self._name and progress.mark:
                return progress.mark.changed
        changed = self._path.stat().st_mtime_ns
        mark = Mark(follower=self._name, format="", first="", all="", changed=changed)
        self._importer.complete(FileProgress(key=self._name, path=str(self._path), mark=mark))
        self._importer.commit()
        return changed

    def poll(self) -> None:
        """Take what was added since."""
        self._look()
        for tail in filter(None, [*self._rotated, self._live]):
            if tail.lines.growing:
                self._take(tail)
        for tail in [tail for tail in self._rotated if tail.is_quiet(self._settings.access_logs.quiet_seconds)]:
            self._let_go(tail)

    def _look(self) -> None:
        """Notice that the path means another file than before, or that its file was cut."""
        if self._live and self._live.was_cut():
            self._resume_copy(self._live)
        elif self._live and self._path.exists() and not self._live.is_named(self._path):
            self._rotated.append(self._live)
            self._live = None
        self._take_up()
        if self._live is None and self._path.exists():
            try:
                self._live = self._begin(self._path)
            except (UsageError, FileNotFoundError):
                if self._path.exists():  # else it was renamed just now
                    raise

    def _begin(self, path: Path) -> Tail | None:
        """Start with a file's first line; None while it has none that tells the format."""
        if self._format is None:
            with path.open("rb") as file:
                if not file.readline().endswith(b"\n"):
                    return None
            require_text(path)
        lines = self._reading.open(path, self._format)
        if lines.is_packed and path == self._path:
            raise UsageError(f"{path} is packed, so it does not grow. Import it without --follow.")
        self._format = lines.format
        self._say(f"{path}: followed as {lines.format.name} ({lines.format.doc})")
        key = derived_id(self._name, time.time_ns(), path)
        return Tail(lines, self._importer.begin(FileProgress(key=key, path=str(path))))

    def _resume(self, progress: FileProgress) -> None:
        """Go on in the one of the files that holds what was read; if it is gone, say so."""
        for path in chain(self._names(), self._names()):  # twice: one may get another name meanwhile
            if (lines := is_at(self._reading, path, progress)) is not None:
                tail = Tail(lines, self._importer.begin(progress))
                if self._live is None and tail.is_named(self._path):
                    self._live = tail
                else:
                    self._rotated.append(tail)
                return
        self._say(f"{progress.path}: gone since line {progress.last:,}; what was added behind it, if anything, is lost")
        self._importer.complete(progress)

    def _names(self) -> Iterator[Path]:
        """The log, and then what may be what it was before, as it is by then."""
        yield self._path
        yield from rotated(self._path)

    def _resume_copy(self, cut: Tail) -> None:
        """The file was copied and cut (copytruncate): the rest of what it held is in the copy."""
        self._live = None
        cut.close()
        if cut.progress.last:
            self._resume(cut.progress)

    def _take_up(self) -> None:
        """Read what appeared beside the log and nobody has read, once it is at rest: a copy in the making is not."""
        before, self._beside = self._beside, {}
        for path, stat in rotated(self._path).items():
            state = (stat.st_size, stat.st_mtime_ns)
            known = before.get(stat.st_ino)
            is_seen = known == _SEEN or (known == state and self._looked_into(path))
            self._beside[stat.st_ino] = _SEEN if is_seen else state

    def _looked_into(self, path: Path) -> bool:
        try:
            if not self._is_read(path) and (tail := self._begin(path)):
                self._rotated.append(tail)
        except (UsageError, FileNotFoundError):  # it was renamed once more: the next look finds it
            return False
        return True

    def _is_read(self, path: Path) -> bool:
        if any(tail.is_named(path) for tail in self._rotated):
            return True
        self._importer.commit()  # so that the journal knows all that was read
        known = self._importer.journal.followed(self._name)
        return any(progress.last and is_read(self._reading, path, progress) for progress in known)

    def _take(self, tail: Tail) -> None:
        to_payload = self._reading.to_payload(self._path)
        for chunk in chunks(tail.lines, to_payload, tail.progress.last, self._settings.landing.max_event_bytes):
            if tail is self._live and tail.was_cut():  # so this may be of the file that came after: the copy has it
                return
            tail.land(self._importer, chunk, self._name)
            self._importer.commit_every(self._settings.access_logs.publish_seconds)
            if self._stopped():
                return

    def _let_go(self, tail: Tail) -> None:
        """The file will not grow any more: its last line counts even where its end is missing."""
        tail.lines.growing = False
        self._take(tail)
        if not self._stopped():
            self._importer.complete(tail.progress)
            tail.close()
            self._rotated.remove(tail)
