"""The step `audiences`: who belongs, of everybody, by the function that the live path calls → gold.audience_members.

    tables ∪ live profile ──► membership ──► gold.audience_members
                                 │  other than what stood ──► landing log, as the live path writes it
                                 └─► live standings: since when, and what gold says

So what time alone changes is seen at night at the latest, and the live path knows facts of gold and audiences that it cannot count.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import pyarrow as pa

from analytics.audiences.everybody import Everybody, Looked, key_of
from nextclick.audiences import definitions, standing
from nextclick.audiences.definitions import Audience, BySite
from nextclick.audiences.standing import AudienceStanding, Change, Subject
from nextclick.contracts import arrow
from nextclick.contracts.events import SERVER
from nextclick.contracts.gold import AUDIENCE_MEMBERS
from nextclick.contracts.silver_served import AUDIENCE_CHANGES
from nextclick.kv import open_profiles
from nextclick.kv.profiles.protocol import Profiles
from nextclick.lake import commits, delta, duck, locks
from nextclick.landing import outgoing
from nextclick.landing.writer import SegmentWriter
from nextclick.profile import profile
from nextclick.profile.profile import Profile
from nextclick.report import JobReport
from nextclick.settings import Settings

_TOGETHER: Final = 500
"""Standings that are written together: the live path waits for them at most."""
_TRIES: Final = 10
Since = Mapping[Subject, Mapping[str, int]]
"""Of subjects by audience since when (ms) they belong."""


def run(settings: Settings, progress: Callable[..., None] = lambda *_: None) -> JobReport:
    """Look at everybody; without an audience that is on, nobody belongs any more."""
    started, lake = time.monotonic(), settings.lake
    audiences = [audience for audience in definitions.load(settings.conf_dir / "audiences") if not audience.off]
    if not audiences and not delta.exists(lake, AUDIENCE_MEMBERS.name):
        return _report(started, details={"reason": "No audience is on: docs/audiences.md."})
    night = NightlyLook(settings, audiences, time.time_ns() // 1_000_000)
    with (
        locks.hold(lake.locks, AUDIENCE_MEMBERS.name, purpose=AUDIENCE_MEMBERS.job),
        duck.answering(lake, "Who belongs to audiences") as database,
    ):
        night.look(Everybody(settings, database, audiences, night.now))
        written = _write(settings, night.members)
    counts = {audience.name: sum(audience.name in since for since in night.members.values()) for audience in audiences}
    return _report(started, night.looked_at, written, counts | {"changes": night.changes})


class NightlyLook:
    """One look at everybody."""

    def __init__(self, settings: Settings, audiences: Sequence[Audience], now: int) -> None:
        self._settings, self._audiences, self.now = settings, BySite(audiences), now
        self._store: Profiles | None = open_profiles(settings) if settings.live.enabled else None
        self._before = _stood(settings)
        self.members: dict[Subject, dict[str, int]] = {}
        self.looked_at = self.changes = 0

    def look(self, everybody: Everybody) -> None:
        """At each of them, and at those who belonged and are not among them."""
        with SegmentWriter(outgoing.logs(self._settings)[0], self._settings.landing) as log:
            gone = set(self._before)
            for some in everybody:
                gone -= {looked.subject for looked in some}
                self._look_at(some, everybody.complete_since, log)
            self._look_at([everybody.nobody(subject) for subject in sorted(gone)], everybody.complete_since, log)

    def _look_at(self, some: Sequence[Looked], complete_since: int, log: SegmentWriter) -> None:
        for start in range(0, len(some), _TOGETHER):
            left = some[start : start + _TOGETHER]
            self.looked_at += len(left)
            for _ in range(_TRIES):
                if not (left := self._once(left, complete_since, log)):
                    break

    def _once(self, some: Sequence[Looked], complete_since: int, log: SegmentWriter) -> list[Looked]:
        """One try; those whose standing the live path changed meanwhile."""
        keys = [key_of(one.subject) for one in some]
        profiles = self._store.get_many(keys) if self._store else [profile.EMPTY] * len(some)
        stored = self._store.standings(keys) if self._store else [b""] * len(some)
        events, replaced = list[bytes](), dict[bytes, tuple[bytes, bytes]]()
        for one, key, live, raw in zip(some, keys, profiles, stored, strict=True):
            after, changes = self._now(one, live, raw, complete_since)
            self.changes += len(changes)
            events += [standing.change_event(one.subject, change) for change in changes]
            self.members.pop(one.subject, None)
            if after.since:
                self.members[one.subject] = self._since(one.subject, after.since)
            encoded = standing.encode_standing(after) if after.since or after.night else b""
            if encoded or raw:
                replaced[key] = raw, encoded
        if events:
            log.extend(events, SERVER, self.now)
            log.sync()
        busy = {*self._store.replace_standings(replaced)} if self._store and replaced else set[bytes]()
        return [one for one, key in zip(some, keys, strict=True) if key in busy]

    def _now(
        self, one: Looked, live: Profile, raw: bytes, complete_since: int
    ) -> tuple[AudienceStanding, list[Change]]:
        """The standing as it is to be, and what changed."""
        facts = one.facts(live, self.now, self._settings.live.keep_ms, complete_since)
        before = standing.decode_standing(raw)
        stood = standing.said(before, self._before.get(one.subject, {}))
        theirs = self._audiences.of(one.subject.site)
        over = set(stood) - {audience.name for audience in theirs}
        kept = {name: since for name, since in stood.items() if name not in over}
        changed_at = max(before.changed_at + 1, self.now) if over else before.changed_at
        agreed = AudienceStanding(kept, one.night, changed_at, nightly=True)
        after, changes = standing.updated(agreed, theirs, facts)
        return after, [*(Change(name, False, changed_at) for name in sorted(over)), *changes]

    def _since(self, subject: Subject, since: Mapping[str, int]) -> dict[str, int]:
        """The tables know longest since when."""
        stood = self._before.get(subject, {})
        return {name: min(at, stood.get(name, at)) for name, at in since.items()}


def _stood(settings: Settings) -> dict[Subject, dict[str, int]]:
    """Who belonged, by the last change of each subject and audience."""
    lake, name = settings.lake, AUDIENCE_CHANGES.name
    since: dict[Subject, dict[str, int]] = {}
    with duck.answering(lake, "Who belonged to audiences") as database:
        duck.show(database, "changes", lake, name, delta.open_table(lake, name))
        for site, kind, subject, audience, at in database.execute(_LAST).fetchall():
            since.setdefault(Subject(site, kind, subject), {})[audience] = at
    return since


_LAST: Final = """
SELECT site, subject_kind, subject_id, audience, epoch_ms(max(changed_at)) FROM changes GROUP BY ALL HAVING arg_max(entered, changed_at)
"""


def _write(settings: Settings, members: Since) -> int:
    """The table anew, where it is not as it was; how many rows it has then, else 0."""
    lake = settings.lake
    before = delta.open_table(lake, AUDIENCE_MEMBERS.name)
    rows = pa.Table.from_pylist(sorted(_rows(members), key=_order), arrow.schema(AUDIENCE_MEMBERS))
    if (
        before
        and sorted(before.to_pyarrow_table().select(rows.column_names).to_pylist(), key=_order) == rows.to_pylist()
    ):
        return 0
    commits.write(lake, AUDIENCE_MEMBERS, rows, "overwrite")
    return len(rows)


def _rows(members: Since) -> Iterator[dict[str, Any]]:
    for subject, since in members.items():
        for name, at in since.items():
            yield {
                "site": subject.site, "audience": name, "subject_kind": subject.kind, "subject_id": subject.id,
                "since": at * 1000,
            }  # fmt: skip


def _order(row: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(row[name] for name in AUDIENCE_MEMBERS.key)


def _report(started: float, read: int = 0, written: int = 0, details: dict[str, Any] | None = None) -> JobReport:
    return JobReport(
        job=AUDIENCE_MEMBERS.job, read=read, written=written, seconds=time.monotonic() - started, details=details or {}
    )
