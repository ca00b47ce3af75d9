"""What is asked of audiences: which there are, how many belong, who, and why somebody does or does not."""

import time
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from analytics.audiences.everybody import Everybody, key_of
from nextclick.audiences import definitions
from nextclick.audiences.conditions import Verdict
from nextclick.audiences.definitions import Audience
from nextclick.audiences.facts import Facts
from nextclick.audiences.membership import ConditionReason, membership, reasons
from nextclick.audiences.standing import Subject
from nextclick.contracts.gold import AUDIENCE_MEMBERS
from nextclick.contracts.silver import EVENTS
from nextclick.kv import open_profiles
from nextclick.lake import delta, duck
from nextclick.profile import profile
from nextclick.settings import Settings

_SIZES = "SELECT audience, subject_kind, count(*) FROM members GROUP BY ALL"
_WHO = """
SELECT site, subject_kind, subject_id, since FROM members WHERE audience = $name
ORDER BY since DESC, site, subject_kind, subject_id LIMIT $n
"""


class AudienceSize(msgspec.Struct, frozen=True, kw_only=True):
    """An audience, and who belonged to it when the nightly job last looked."""

    name: str
    meaning: str
    site: str
    off: bool
    live: bool
    """Seen at every event; else nightly alone."""
    visitors: int
    users: int


class SizeThen(msgspec.Struct, frozen=True, kw_only=True):
    """Who belonged at a moment, by the tables."""

    name: str
    meaning: str
    at: datetime
    visitors: int
    users: int


class AudienceMember(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who belonged when the nightly job last looked."""

    site: str
    kind: str
    id: str
    since: datetime


class Explained(msgspec.Struct, frozen=True, kw_only=True):
    """Whether somebody belongs now, and why."""

    audience: str
    kind: str
    id: str
    belongs: Verdict
    """None: what is known does not reach back far enough."""
    conditions: list[ConditionReason]
    """Every condition, in the order of the file."""


def sizes(settings: Settings, name: str | None = None) -> list[AudienceSize]:
    """Of all audiences of conf/audiences/, or of one."""
    audiences = definitions.load(settings.conf_dir / "audiences")
    chosen = [definitions.FORM.pick(audiences, name)] if name else audiences
    counts = {(audience, kind): n for audience, kind, n in _rows(settings, _SIZES)}
    return [
        AudienceSize(
            name=one.name, meaning=one.meaning, site=one.site, off=one.off, live=one.is_live(settings.live.keep_ms),
            visitors=counts.get((one.name, "visitor"), 0), users=counts.get((one.name, "user"), 0),
        )
        for one in chosen
    ]  # fmt: skip


def size_at(settings: Settings, name: str, at: datetime) -> SizeThen:
    """As of `at`, also of an audience that is off: what the tables have of events up to then, and of gold now."""
    audience = definitions.FORM.pick(definitions.load(settings.conf_dir / "audiences"), name)
    now, keep_ms = round(at.timestamp() * 1000), settings.live.keep_ms
    counts: Counter[str] = Counter()
    with duck.answering(settings.lake, f"Who belonged to {name}") as database:
        everybody = Everybody(settings, database, [audience], now)
        for some in everybody:
            for one in some:
                facts = one.facts(profile.EMPTY, now, keep_ms, everybody.complete_since)
                counts[one.subject.kind] += (
                    audience.site in ("", one.subject.site) and membership(audience, facts) is True
                )
    return SizeThen(name=name, meaning=audience.meaning, at=at, visitors=counts["visitor"], users=counts["user"])


def who(settings: Settings, name: str, n: int) -> list[AudienceMember]:
    """The n who came last."""
    definitions.FORM.pick(definitions.load(settings.conf_dir / "audiences"), name)
    return [
        AudienceMember(site=site, kind=kind, id=subject, since=since)
        for site, kind, subject, since in _rows(settings, _WHO, name=name, n=n)
    ]


def explained(settings: Settings, name: str, subject: Subject) -> Explained:
    """By what the tables and the live profile know now; an audience that is off, too."""
    audience = definitions.FORM.pick(definitions.load(settings.conf_dir / "audiences"), name)
    facts = _facts(settings, audience, subject)
    return Explained(
        audience=name,
        kind=subject.kind,
        id=subject.id,
        belongs=membership(audience, facts) if audience.site in ("", subject.site) else False,
        conditions=reasons(audience, facts),
    )


def _facts(settings: Settings, audience: Audience, subject: Subject) -> Facts:
    now, keep_ms = time.time_ns() // 1_000_000, settings.live.keep_ms
    live = open_profiles(settings).get_many([key_of(subject)])[0] if settings.live.enabled else profile.EMPTY
    if not delta.exists(settings.lake, EVENTS.name):
        return Facts.live(live, now, keep_ms, None)
    with duck.answering(settings.lake, f"Who belongs to {audience.name}") as database:
        everybody = Everybody(settings, database, [audience], now, subject)
        theirs = [one for some in everybody for one in some] or [everybody.nobody(subject)]
    return theirs[0].facts(live, now, keep_ms, everybody.complete_since)


def _rows(settings: Settings, query: str, **params: object) -> Sequence[tuple[Any, ...]]:
    with duck.answering(settings.lake, "Who belongs to audiences") as database:
        table = delta.open_table(settings.lake, AUDIENCE_MEMBERS.name)
        duck.show(database, "members", settings.lake, AUDIENCE_MEMBERS.name, table)
        return database.execute(query, params).fetchall()
