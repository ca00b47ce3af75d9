"""What was learned about actions: a fold over their trials and the verdict on the policy, in one file."""

import msgspec

from nextclick import formats
from nextclick.errors import LakeError
from nextclick.lake import files
from nextclick.lake.paths import Lake
from serving.next_best_action.cells import ActionCell
from serving.next_best_action.judge import Verdict

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
    try:
        files.write(address(lake), msgspec.json.encode(learned))
    except OSError as error:
        raise LakeError(
            f"What was learned about actions cannot be written to {address(lake)}: {error.strerror}."
        ) from error


def read(lake: Lake) -> LearnedActions | None:
    """What was learned last; None before the first time."""
    try:
        data = files.read(address(lake))
        if data is None:
            return None
        formats.refuse_newer_json("What was learned about actions", data, formats.ACTIONS, LakeError)
        return msgspec.json.decode(data, type=LearnedActions)
    except (OSError, msgspec.MsgspecError) as error:
        raise LakeError(
            f"What was learned about actions cannot be read from {address(lake)}: {error}. Remove the file; `nextclick run` makes it anew."
        ) from error


def stamp(lake: Lake) -> int:
    """Changes whenever what was learned does; 0 before the first time."""
    return files.changed_at(address(lake))
