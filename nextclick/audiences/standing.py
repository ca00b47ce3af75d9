"""What is kept of one visitor or user beside their profile: which audiences they belong to since when, and what gold said last."""

from collections.abc import Container, Iterable, Mapping
from typing import Final, Literal, NamedTuple

import msgspec

from nextclick import formats
from nextclick.audiences.definitions import Audience
from nextclick.audiences.facts import Facts, Night
from nextclick.audiences.membership import membership
from nextclick.contracts.events import AUDIENCE_CHANGES, Event, derived_id, encode


class Subject(NamedTuple):
    """Who may belong."""

    site: str
    kind: Literal["visitor", "user"]
    id: str


class Change(NamedTuple):
    """That they belong from `at` (ms) on, or no more."""

    audience: str
    entered: bool
    at: int


class AudienceStanding(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Of one subject."""

    since: dict[str, int] = {}
    """By audience the moment (ms) from which on they belong."""
    night: Night | None = None
    """None before a nightly job wrote it."""
    changed_at: int = 0
    """The last change of any audience (ms): the next one is later, so that changes have an order."""
    nightly: bool = False
    """A nightly job has written it: but for `unsaid`, what the tables say of an audience that is not in `since` is over."""
    unsaid: tuple[str, ...] = ()
    """Audiences that were entered or left since without an event of it: there the tables know what was said."""


EMPTY: Final = AudienceStanding()
_FORMAT: Final = bytes([formats.STANDING])
_decoder: Final = msgspec.msgpack.Decoder(AudienceStanding)


def encode_standing(standing: AudienceStanding) -> bytes:
    """As it is stored; nothing where it says nothing."""
    return _FORMAT + msgspec.msgpack.encode(standing) if standing != EMPTY else b""


def decode_standing(stored: bytes) -> AudienceStanding:
    """What `encode_standing` wrote; nothing of what is damaged, since it is seen anew. LakeError where a newer nextclick wrote it."""
    if not stored:
        return EMPTY
    formats.refuse_newer("A standing among audiences", stored[0], formats.STANDING)
    try:
        return _decoder.decode(stored[1:])
    except msgspec.MsgspecError:
        return EMPTY


def updated(
    standing: AudienceStanding, audiences: Iterable[Audience], facts: Facts
) -> tuple[AudienceStanding, list[Change]]:
    """The standing as the facts have it now, and what changed; where they cannot know, what was known last stands."""
    since, changes, at = dict(standing.since), list[Change](), max(facts.now, standing.changed_at + 1)
    for audience in audiences:
        belongs, belonged = membership(audience, facts), audience.name in since
        if belongs is None or belongs is belonged:
            continue
        changes.append(Change(audience.name, belongs, at))
        if belongs:
            since[audience.name] = at
        else:
            del since[audience.name]
    if not changes:
        return standing, changes
    return msgspec.structs.replace(standing, since=since, changed_at=at), changes


def silently(standing: AudienceStanding, changes: Iterable[Change]) -> AudienceStanding:
    """The standing after changes that nobody says."""
    names = {*standing.unsaid, *(change.audience for change in changes)}
    return msgspec.structs.replace(standing, unsaid=tuple(sorted(names)))


def said(standing: AudienceStanding, tables: Mapping[str, int]) -> dict[str, int]:
    """Since when they belong by what was said: by the standing, and, where it cannot know, by the tables, which may be older."""
    since = dict(standing.since) if standing.nightly else {**tables, **standing.since}
    for name in standing.unsaid:
        since.pop(name, None)
        if name in tables:
            since[name] = tables[name]
    return since


def belonging(
    standing: AudienceStanding, audiences: Iterable[Audience], facts: Facts, live: Container[str]
) -> dict[str, int]:
    """By audience since when (ms), as of the facts; what they cannot know, and what the nightly job alone looks at, as it stood.

    `live` names those that live profiles can say (Audience.is_live).
    """
    since: dict[str, int] = {}
    for audience in audiences:
        belongs = membership(audience, facts) if audience.name in live else None
        if belongs or (belongs is None and audience.name in standing.since):
            since[audience.name] = standing.since.get(audience.name, facts.now)
    return since


def change_event(subject: Subject, change: Change) -> bytes:
    """The change as an event of the landing log; two copies of one change have one id."""
    name = AUDIENCE_CHANGES[not change.entered]
    return encode(
        Event(
            event=name,
            event_id=derived_id(*subject, change.audience, name, change.at),
            client_time=change.at,
            occurred_at=change.at,
            site=subject.site,
            visitor_id=subject.id if subject.kind == "visitor" else None,
            user_id=subject.id if subject.kind == "user" else None,
            properties={"audience": change.audience},
        )
    )
