"""Who enters and leaves audiences, seen at every event: behind the merge of profiles, and before what was merged is marked as such.

    merge ──► profiles, standings ──► who belongs now ──changes──► landing log, durable ──► standings ──► marks

Killed anywhere in between, the events are merged and looked at once more. A change that comes twice into the log is one in
silver.audience_changes: it says what the one before it said.

A store that is made anew (LMDB after a restart of the machine) takes up who belongs without a word, from events that came before it
began: it was said when they came. What changed meanwhile the night says.
"""

import time
from collections.abc import Container, Iterable, Mapping
from contextlib import suppress
from typing import Final

from nextclick.audiences import definitions, standing
from nextclick.audiences.definitions import BySite
from nextclick.audiences.facts import Facts
from nextclick.audiences.standing import AudienceStanding, Change, Subject
from nextclick.contracts.events import SERVER, Event
from nextclick.errors import ModelError
from nextclick.kv.profiles.protocol import Profiles
from nextclick.landing import outgoing
from nextclick.landing.writer import SegmentWriter
from nextclick.profile.profile import Profile
from nextclick.settings import Settings

_TRIES: Final = 10
_VISITOR: Final = b"v"


class AudienceWatch:
    """One thread's; the audiences are those that are there when it is made."""

    def __init__(self, settings: Settings, store: Profiles) -> None:
        """AudienceError where a definition is wrong."""
        keep_ms = settings.live.keep_ms
        loaded = definitions.load(settings.conf_dir / "audiences")
        self._audiences = BySite(one for one in loaded if one.is_live(keep_ms))
        self._settings = settings
        self._store = store
        self._seen: dict[bytes, Subject] = {}
        self._loud: set[bytes] = set()
        """Those of them with an event that came since the store began: what others change was said before the store was lost."""
        self._began: int | None = None
        if not self.is_idle:
            with suppress(ModelError):  # one that is down is asked again
                self._began = store.began()  # one that is new begins before what comes now
        self._writer: SegmentWriter | None = None
        self._open_since: float | None = None
        """When the oldest change that is not published yet was written."""

    @property
    def is_idle(self) -> bool:
        """Whether there is no audience to look at."""
        return not self._audiences.whole

    def add(self, keys: Iterable[bytes], event: Event, received_at: int) -> None:
        """Look at the subjects of an event next time: `keys` are those of its profiles."""
        if self._began is None:
            self._began = self._store.began()
        for key in keys:
            if received_at >= self._began:
                self._loud.add(key)
            if key not in self._seen:
                site = event.site or self._settings.site
                self._seen[key] = (
                    Subject(site, "visitor", event.visitor_id or "")
                    if key.startswith(_VISITOR)
                    else Subject(site, "user", event.user_id or "")
                )

    def look(self, merged: Mapping[bytes, Profile]) -> None:
        """Look at all that were added, whose profiles these are, and make durable what changed."""
        left, self._seen = self._seen, {}
        loud, self._loud = self._loud, set()
        for _ in range(_TRIES):
            if not left or not (left := self._once(left, merged, loud)):
                return
            merged = dict(zip(left, self._store.get_many(list(left)), strict=True))
        raise ModelError("Standings among audiences change faster than they can be written. It is tried again.")

    def publish(self, at_once: bool = False) -> None:
        """Let the tables read what was written, if that is due."""
        due = at_once or (self._open_since or 0.0) + self._settings.collector.publish_seconds <= time.monotonic()
        if self._writer and self._open_since is not None and due:
            self._writer.roll()
            self._open_since = None

    def _once(
        self, subjects: Mapping[bytes, Subject], profiles: Mapping[bytes, Profile], loud: Container[bytes]
    ) -> dict[bytes, Subject]:
        """One try; those whose standing another process changed meanwhile."""
        keys, now = list(subjects), time.time_ns() // 1_000_000
        events, replaced = list[bytes](), dict[bytes, tuple[bytes, bytes]]()
        for key, stored in zip(keys, self._store.standings(keys), strict=True):
            before, subject = standing.decode_standing(stored), subjects[key]
            after, changes = self._changes(subject, profiles[key], before, now)
            if not changes:
                continue
            if key in loud:
                events += [standing.change_event(subject, change) for change in changes]
            else:
                after = standing.silently(after, changes)
            replaced[key] = stored, standing.encode_standing(after)
        if not replaced:
            return {}
        if events:
            self._write(events, now)
        return {key: subjects[key] for key in self._store.replace_standings(replaced)}

    def _changes(
        self, subject: Subject, profile: Profile, before: AudienceStanding, now: int
    ) -> tuple[AudienceStanding, list[Change]]:
        theirs = self._audiences.of(subject.site)
        facts = Facts.live(profile, now, self._settings.live.keep_ms, before.night)
        return standing.updated(before, theirs, facts)

    def _write(self, events: list[bytes], now: int) -> None:
        self._writer = self._writer or SegmentWriter(outgoing.logs(self._settings)[0], self._settings.landing)
        self._writer.extend(events, SERVER, now)
        self._writer.sync()
        self._open_since = self._open_since or time.monotonic()
