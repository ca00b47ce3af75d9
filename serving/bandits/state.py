"""What bandits have learned: a fold over their trials, in one file."""

from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Final

import msgspec
import numpy as np

from nextclick.lake import files
from nextclick.lake.paths import Lake
from serving import learned_file
from serving.bandits.methods import Arm
from serving.bandits.trials import Trial

_WHAT: Final = "What bandits learned"
_DIGITS = 9
"""Decimals of sums of contexts, so that the order of adding cannot show."""


class State(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that one site's bandits know."""

    version: int
    """The cursor: the Delta version of silver.events that it accounts for."""
    bandits: dict[str, dict[str, Arm]] = {}
    """By bandit and arm."""


def address(lake: Lake) -> str:
    return f"{lake.shared}/bandits.json"


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
    contextual = [trial for trial in trials if size and len(trial.draw.context) == size]
    if not contextual:
        return counts
    contexts = np.array([trial.draw.context for trial in contextual])
    clicked = np.array([trial.clicked for trial in contextual], dtype=float)
    gram, moment = contexts.T @ contexts, contexts.T @ clicked
    return msgspec.structs.replace(counts, gram=gram.round(_DIGITS).tolist(), moment=moment.round(_DIGITS).tolist())


def write(lake: Lake, state: State) -> None:
    """Put the state in place of the one before."""
    learned_file.write(address(lake), state, _WHAT)


def read(lake: Lake) -> State | None:
    """The state as it is now; None before the first one."""
    return learned_file.read(address(lake), State, _WHAT)


def stamp(lake: Lake) -> int:
    """Changes whenever the state does; 0 before the first one."""
    return files.changed_at(address(lake))


def shown(arms: Mapping[str, Arm]) -> int:
    """Trials of all arms."""
    return sum(arm.trials for arm in arms.values())
