"""What bandits have learned: a fold over their trials, in one file of the lake's state folder.

The file is written whole and renamed into place, so a reader sees the old state or the new one.
"""

import os
from collections.abc import Iterable, Mapping
from itertools import groupby
from pathlib import Path

import msgspec
import numpy as np

from nextclick.errors import LakeError
from nextclick.lake.paths import Lake
from serving.bandits.methods import Arm
from serving.bandits.trials import Trial

_DIGITS = 9
"""Decimals of sums of contexts, so that the order of adding cannot show."""


class State(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that one site's bandits know."""

    version: int
    """The cursor: the Delta version of silver.events that it accounts for."""
    bandits: dict[str, dict[str, Arm]] = {}
    """By bandit and arm."""


def path(lake: Lake) -> Path:
    return lake.state / "bandits.json"


def fold(trials: Iterable[Trial]) -> dict[str, dict[str, Arm]]:
    """What is known of each bandit's arms. A set of trials gives one state, whatever their order and copies."""
    distinct = {(trial.draw.bandit, trial.draw.arm, trial.request_id): trial for trial in trials}
    ordered = [distinct[key] for key in sorted(distinct)]
    state: dict[str, dict[str, Arm]] = {}
    for (bandit, arm), rows in groupby(ordered, lambda trial: (trial.draw.bandit, trial.draw.arm)):
        state.setdefault(bandit, {})[arm] = _arm(list(rows))
    return state


def _arm(trials: list[Trial]) -> Arm:
    counts = Arm(trials=len(trials), rewards=sum(trial.clicked for trial in trials))
    size = max(len(trial.draw.context) for trial in trials)
    told = [trial for trial in trials if size and len(trial.draw.context) == size]
    if not told:
        return counts
    contexts = np.array([trial.draw.context for trial in told])
    clicked = np.array([trial.clicked for trial in told], dtype=float)
    gram, moment = contexts.T @ contexts, contexts.T @ clicked
    return msgspec.structs.replace(counts, gram=gram.round(_DIGITS).tolist(), moment=moment.round(_DIGITS).tolist())


def write(lake: Lake, state: State) -> None:
    """Put the state in place of the one before."""
    goal = path(lake)
    aside = goal.with_suffix(".new")
    try:
        goal.parent.mkdir(parents=True, exist_ok=True)
        with aside.open("wb") as file:
            file.write(msgspec.json.encode(state))
            file.flush()
            os.fsync(file.fileno())
        aside.rename(goal)
    except OSError as error:
        raise LakeError(f"What bandits learned cannot be written to {goal}: {error.strerror}.") from error


def read(lake: Lake) -> State | None:
    """The state as it is now; None before the first one."""
    try:
        return msgspec.json.decode(path(lake).read_bytes(), type=State)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError) as error:
        raise LakeError(
            f"What bandits learned cannot be read from {path(lake)}: {error}. Remove the file; `nextclick run` makes it anew."
        ) from error


def stamp(lake: Lake) -> int:
    """Changes whenever the state does; 0 before the first one."""
    try:
        return path(lake).stat().st_mtime_ns
    except OSError:
        return 0


def shown(arms: Mapping[str, Arm]) -> int:
    """Trials of all arms."""
    return sum(arm.trials for arm in arms.values())
