"""The shop's app: its releases, of which one crashes often, its small game and its films. Nothing of it names an item of the shop."""

from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from demo.traffic.trackers import Fields
from demo.traffic.visits import DAY_MS, START_MS

_VISITORS_PER_DEVICE: Final = 15
"""Visitors of the shop for each device with the app."""
_RELEASES: Final = ((0, "3.1.0", 0.03), (6, "3.2.0", 0.25), (10, "3.2.1", 0.03))
"""From which day, the name, and the share of visits that crash."""
_SCREENS: Final = ("shelf", "basket", "account")
_FILMS: Final = ("lamp-in-a-minute", "how-to-fold-a-kite", "tea-at-home")
_FILM_MS: Final = 120_000
_LEVELS_AT_ONCE: Final = 3

Said = dict[str, Any]
"""What an event of the app says beside who, when and where."""


def make_app(rng: np.random.Generator, visitors: int, days: int) -> list[tuple[int, Fields]]:
    """What the devices with the app report: epoch ms, and the event but for its id and time."""
    devices = range(max(1, visitors // _VISITORS_PER_DEVICE))
    return [act for number in devices for act in _device(rng, f"a{number:05d}", days)]


def _device(rng: np.random.Generator, name: str, days: int) -> Iterator[tuple[int, Fields]]:
    platform, level = str(rng.choice(["android", "ios"])), 1
    installed = int(rng.integers(max(1, days * 2 // 3)))
    day = np.append(installed, rng.integers(installed, days, rng.poisson(3)))
    starts = np.sort(START_MS + day * DAY_MS + rng.integers(7 * 3_600_000, 22 * 3_600_000, len(day)))
    for number, start in enumerate(starts.tolist()):
        acts = [_said("first_open")] if number == 0 else []
        acts += [_said("screen_view", screen="home", value=_load_ms(rng))]
        acts += [_said("screen_view", screen=screen, value=_load_ms(rng)) for screen in _some(rng, _SCREENS)]
        if rng.random() < 0.5:
            played, level = _play_game(rng, level)
            acts += played
        if rng.random() < 0.35:
            acts += _watch(rng)
        _, version, crashes = max(release for release in _RELEASES if release[0] * DAY_MS <= start - START_MS)
        if rng.random() < crashes:
            acts.append(_said("app_crash", error="OutOfMemoryError"))
        times = start + np.cumsum(rng.integers(2_000, 40_000, len(acts)))
        device = {"platform": platform, "app_version": version}
        for at, act in zip(times.tolist(), acts, strict=True):
            properties = act.get("properties", {}) | device
            yield at, act | {"visitor_id": name, "device": "mobile", "properties": properties}


def _said(event: str, dwell_ms: int | None = None, **properties: Any) -> Said:
    fields = {"event": event, "properties": {name: str(value) for name, value in properties.items()}}
    return fields | ({} if dwell_ms is None else {"dwell_ms": dwell_ms})


def _some(rng: np.random.Generator, names: tuple[str, ...]) -> list[str]:
    return [name for name in names if rng.random() < 0.3]


def _load_ms(rng: np.random.Generator) -> int:
    """How long a screen took to load."""
    return int(rng.lognormal(5.5, 0.5))


def _play_game(rng: np.random.Generator, level: int) -> tuple[list[Said], int]:
    """A few tries from the level on, and the level reached: the higher, the more often one fails."""
    acts: list[Said] = []
    for _ in range(rng.integers(1, _LEVELS_AT_ONCE + 1)):
        won = rng.random() < 1.8 / (1 + level)
        acts += [_said("level_start", level=level), _said("level_complete" if won else "level_fail", level=level)]
        level += won
    return acts, level


def _watch(rng: np.random.Generator) -> list[Said]:
    """A film from its beginning, until somebody has enough of it."""
    film, quarters = str(rng.choice(_FILMS)), int(rng.integers(0, 5))
    progress = [
        _said("media_progress", _FILM_MS // 4, media=film, percent=25 * quarter) for quarter in range(1, quarters + 1)
    ]
    return [_said("play", media=film), *progress]
