"""The bandits as the API asks them: with what was learned last, for banners and for places of a list."""

import logging
from collections.abc import Container, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Final, Literal, NamedTuple

import msgspec
import numpy as np
from msgspec import Meta

from nextclick.conf_files import Form
from nextclick.errors import LakeError, SettingsError
from nextclick.lake.paths import Lake
from nextclick.settings import BanditsSettings as BanditSettings
from serving.bandits import state
from serving.bandits.methods import EMPTY, Arms, Bandit, EpsilonGreedy, Floats, LinearThompson, Thompson, draw
from serving.bandits.trials import Draw

_log = logging.getLogger(__name__)
_FORM: Final = Form("", "docs/bandits.md", SettingsError)


class Banner(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One banner of conf/banners.toml."""

    id: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
    text: Annotated[str, Meta(min_length=1, max_length=1000)]
    link: Annotated[str, Meta(pattern=r"^(https?://|/)", max_length=2000)]
    """Where it leads: an address, or a path of the site."""
    surfaces: tuple[Annotated[str, Meta(min_length=1, max_length=64)], ...] = ()
    """Where it may be shown; none: everywhere."""
    least: dict[Literal["churn", "conversion_7d"], Annotated[float, Meta(ge=0, le=1)]] = {}
    """Only to people of whom this was foreseen with at least such a probability (docs/predictions.md); none: to all."""

    audience: Annotated[str, Meta(max_length=64)] = ""
    """Only to who belongs to this audience (docs/audiences.md); "": to all."""

    def is_for(self, surface: str, foreseen: Mapping[str, float], audiences: Container[str] = ()) -> bool:
        """Whether it may be shown there, to somebody of whom this was foreseen and who belongs to these audiences."""
        if self.audience and self.audience not in audiences:
            return False
        if self.surfaces and surface not in self.surfaces:
            return False
        return not self.least or all(foreseen.get(name, -1.0) >= least for name, least in self.least.items())


class Explored(NamedTuple):
    """A list with its drawn places filled."""

    items: list[str]
    propensities: list[float]
    """Per place: 1 where nothing was drawn."""
    draws: list[Draw]


class _Learned(NamedTuple):
    """One state, and the bandits that were made of it so far, by name and method."""

    arms: Mapping[str, Arms]
    ready: dict[tuple[str, str], Bandit]


class Bandits:
    """Every bandit of a site. Keep one a process; `refresh` takes up what was learned since."""

    def __init__(
        self, lake: Lake, settings: BanditSettings, banners: Sequence[Banner], rng: np.random.Generator | None = None
    ) -> None:
        self._lake, self._settings, self._banners = lake, settings, banners
        self.asks_what_is_foreseen = any(banner.least for banner in banners)
        """Whether a banner is for some people alone."""
        self._rng = rng or np.random.default_rng()
        self._stamp = 0
        self._learned = _Learned({}, {})
        self.refresh()

    def refresh(self) -> None:
        """Take up a newer state; quick if there is none. One that cannot be read is logged, and the old one stays.

        May be called by another thread than the one that draws.
        """
        try:
            stamp = state.stamp(self._lake)
            if stamp == self._stamp:
                return
            self._stamp = stamp
            latest = state.read(self._lake)
        except LakeError as error:
            _log.warning("%s The state before is used on.", error)
            return
        self._learned = _Learned(latest.bandits if latest else {}, {})

    def banner(
        self,
        surface: str,
        context: Floats = EMPTY,
        method: str | None = None,
        foreseen: Mapping[str, float] = MappingProxyType({}),
        audiences: Container[str] = (),
    ) -> tuple[Banner, Draw] | None:
        """The banner for a surface, drawn from those that may be shown there to somebody of whom this was foreseen and who belongs to these
        audiences; None where none may."""
        eligible = {banner.id: banner for banner in self._banners if banner.is_for(surface, foreseen, audiences)}
        if not eligible:
            return None
        drawn = self._draw(f"banner:{surface}", list(eligible), context, method, None)
        return eligible[drawn.arm], drawn

    def explore(
        self,
        surface: str,
        items: Sequence[str],
        pool: Sequence[str],
        context: Floats = EMPTY,
        method: str | None = None,
    ) -> Explored:
        """The list `items` with the places of bandits.positions drawn from the item that stood there and the pool.

        `pool` are items below the list, the best first; bandits.pool says how many take part. What is
        drawn for one place cannot be drawn for the next.
        """
        slots, draws, propensities = list(items), [], [1.0] * len(items)
        listed = set(items)
        left = [item for item in dict.fromkeys(pool) if item not in listed][: self._settings.pool]
        for position in dict.fromkeys(self._settings.positions):
            if not left or position > len(slots):
                continue
            arms = [slots[position - 1], *left]
            drawn = self._draw(f"slot:{surface}", arms, context, method, position)
            slots[position - 1], propensities[position - 1] = drawn.arm, drawn.propensity
            left = [item for item in arms if item != drawn.arm]
            draws.append(drawn)
        return Explored(slots, propensities, draws)

    def _draw(self, name: str, arms: list[str], context: Floats, method: str | None, position: int | None) -> Draw:
        method = method or self._settings.method
        choice = draw(self._bandit(name, method), arms, self._rng, context)
        return Draw(
            bandit=name,
            arm=choice.arm,
            propensity=choice.propensity,
            arms=len(arms),
            position=position,
            context=context.tolist(),
        )

    def _bandit(self, name: str, method: str) -> Bandit:
        learned = self._learned  # one state from here on, whatever another thread takes up
        if (name, method) not in learned.ready:
            learned.ready[name, method] = self._create(learned.arms.get(name, {}), method)
        return learned.ready[name, method]

    def _create(self, known: Arms, method: str) -> Bandit:
        chosen = self._settings
        if method == "epsilon_greedy":
            return EpsilonGreedy(known, chosen.epsilon)
        if method == "linear":
            return LinearThompson(known, chosen.epsilon, chosen.draws, chosen.spread, self._rng)
        return Thompson(known, chosen.epsilon, chosen.draws, self._rng)


class _File(msgspec.Struct, forbid_unknown_fields=True):
    banners: tuple[Banner, ...] = ()


def banners(file: Path) -> tuple[Banner, ...]:
    """The banners of conf/banners.toml; none where it is not there. SettingsError says what is wrong in it."""
    return _FORM.file(file, _File, _faults).banners


def _faults(file: _File) -> Iterator[str]:
    ids = [banner.id for banner in file.banners]
    yield from (
        f"it names the banner {one} twice: give each an id of its own" for one in sorted({*ids}) if ids.count(one) > 1
    )
