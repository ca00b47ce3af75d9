"""The audiences of who asks, as of the moment of the request: by the live profile, and by what the last night wrote beside it."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from nextclick.audiences import definitions
from nextclick.audiences.definitions import BySite
from nextclick.audiences.facts import Facts
from nextclick.audiences.standing import belonging, decode_standing
from nextclick.errors import AudienceError
from nextclick.kv.profiles.protocol import Profiles
from nextclick.profile.profile import Profile
from nextclick.settings import RankingSettings, RuleSettings, Settings

NOWHERE: Final[Mapping[str, int]] = MappingProxyType({})


class AnswerAudiences:
    """The audiences of conf/audiences/ that are on. AudienceError where one is wrong."""

    def __init__(self, settings: Settings) -> None:
        self._keep_ms = settings.live.keep_ms
        loaded = definitions.load(settings.conf_dir / "audiences")
        self._audiences = BySite(loaded)
        self._live = frozenset(one.name for one in loaded if one.is_live(self._keep_ms))

    def of(self, site: str, key: bytes, profile: Profile, store: Profiles, now: int) -> Mapping[str, int]:
        """By audience that the subject of `key` belongs to since when (ms), at `now`."""
        theirs = self._audiences.of(site)
        if not theirs:
            return NOWHERE
        standing = decode_standing(store.standings([key])[0])
        return belonging(standing, theirs, Facts.live(profile, now, self._keep_ms, standing.night), self._live)


def require(settings: Settings, named: Iterable[tuple[str, str]]) -> None:
    """AudienceError where something, by its own words, is for an audience that there is not; `named` are such pairs."""
    known = [audience.name for audience in definitions.load(settings.conf_dir / "audiences")]
    for what, audience in named:
        if audience and audience not in known:
            raise AudienceError(
                f"{what} is for the audience {audience!r}, which there is not. There are: {', '.join(known) or 'none'} "
                "(conf/audiences/NAME.toml)."
            )


def rules_for(ranking: RankingSettings, audiences: Iterable[str]) -> RuleSettings:
    """The rules of every list with those of the audiences on top: by name, single values of the later win, lists add up."""
    conf = ranking.rules
    for name in sorted(audiences):
        if own := ranking.audience_rules.get(name):
            conf = own.on_top_of(conf)
    return conf
