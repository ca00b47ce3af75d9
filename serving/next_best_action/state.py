"""What was learned about actions: a fold over their trials and the verdict on the policy, in one file."""

from typing import Final

import msgspec

from nextclick import formats
from nextclick.lake import files
from nextclick.lake.paths import Lake
from serving import learned_file
from serving.next_best_action.cells import ActionCell
from serving.next_best_action.judge import Verdict

_WHAT: Final = "What was learned about actions"
UNLEARNED = Verdict(serves=False, reason="nothing was learned yet: `nextclick run` does")


class LearnedActions(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is known about one site's actions."""

    format: int = formats.ACTIONS
    version: int = 0
    """The cursor: the Delta version of silver.events that it accounts for."""
    digest: str = ""
    """Of the actions that the verdict is about (`SiteActions.digest`)."""
    cells: dict[str, dict[str, ActionCell]] = {}
    """By segment and action."""
    verdict: Verdict = UNLEARNED


def address(lake: Lake) -> str:
    return f"{lake.shared}/actions.json"


def write(lake: Lake, learned: LearnedActions) -> None:
    """Put it in place of what was learned before."""
    learned_file.write(address(lake), learned, _WHAT)


def read(lake: Lake) -> LearnedActions | None:
    """What was learned last; None before the first time."""
    return learned_file.read(address(lake), LearnedActions, _WHAT, formats.ACTIONS)


def stamp(lake: Lake) -> int:
    """Changes whenever what was learned does; 0 before the first time."""
    return files.changed_at(address(lake))
