"""From a history to what is served of people each night: moments that are learned from, and a verdict on the last.

    learned from (some moments, a step apart) │ judged: its labels end with the newest event │ scored: now

No label that is learned from ends after the moment that is judged. What passes is learned again of all moments; where nothing passes,
the rates that one feature alone gives are served, and say so.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from ml.predictions import judge, learn, people
from ml.predictions.foreseen import Foreseen, foreseen, lacking
from ml.predictions.frames import Frame, Window, frame
from ml.predictions.history import DAY, KnownEvents
from ml.predictions.learn import Task
from nextclick.profile.predictions import NIGHTLY, Name
from nextclick.settings import Settings

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

WEEK = 7 * DAY


class Moments(NamedTuple):
    """When frames are cut; microseconds."""

    learned: tuple[int, ...]
    judged: int


def window(settings: Settings, horizons: dict[str, int]) -> Window:
    """What frames of the settings' site are."""
    chosen = settings.predictions
    return Window(
        gap=settings.sessions.gap_ms_for(settings.site) * 1000,
        lookback=round(chosen.lookback_days * DAY),
        active=round(chosen.active_days * DAY),
        horizons=horizons,
        nobody_words=settings.events.nobody_words,
    )


def horizons(settings: Settings) -> dict[Name, int]:
    """How far each prediction looks ahead; microseconds."""
    return {"churn": round(settings.predictions.churn_days * DAY), "conversion_7d": WEEK}


def moments(history: KnownEvents, horizon: int, step: int, most: int) -> Moments | None:
    """The latest that the labels allow, each with as much time before it as its labels look ahead; None without one to learn from."""
    judged = history.newest - horizon
    last = judged - -(-horizon // step) * step
    learned = tuple(at for n in range(most) if (at := last - n * step) - horizon >= history.oldest)
    return Moments(learned[::-1], judged) if learned else None


def foresee(database: "DuckDBPyConnection", settings: Settings, history: KnownEvents) -> dict[Name, Foreseen | str]:
    """Each nightly prediction, or why there is none."""
    chosen, ahead = settings.predictions, horizons(settings)
    result: dict[Name, Foreseen | str] = {}
    for horizon in sorted(set(ahead.values())):
        names = [name for name in NIGHTLY if ahead[name] == horizon]
        cut = window(settings, dict.fromkeys(names, horizon))
        step = round(chosen.step_days * DAY)
        when = moments(history, horizon, step, chosen.frames)
        if when is None:
            have, need = (history.newest - history.oldest) / DAY, (2 * horizon + -(-horizon // step) * step) / DAY
            result |= dict.fromkeys(names, f"{have:.1f} days of events; {need:.1f} are needed.")
            continue
        frames = [frame(database, settings.site, at, cut, history.newest) for at in (*when.learned, when.judged)]
        result |= {name: of_frames(settings, name, frames, history.newest) for name in names}
    return result


def of_frames(settings: Settings, name: Name, frames: Sequence[Frame], newest: int) -> Foreseen | str:
    """One prediction; the last frame is the judged one."""
    words = people.vocabulary(frames[:-1])
    *parts, judged = (people.rows(each, name, words) for each in frames)
    if reason := lacking(settings, "people of a moment", *parts, judged):
        return reason
    spans = [(each.as_of, each.label_until[name]) for each in frames]
    task = Task(name, (spans[-1][1] - spans[-1][0]) // 1_000_000, people.ALONE[name])
    return foreseen(settings, task, learn.together(parts), judged, judge.apart(spans[:-1], spans[-1], newest))
