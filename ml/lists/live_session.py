"""What answers an open session, all its items at once: chosen, judged and kept beside the lists of single items.

Chosen by clicks of the validation part, each with the items that its session held before (ml/selection/session_choice.py);
judged on the test part, in the form in which answers ask it (ml/lists/session_packing.py), against what they would show
without it: the list of the last item. It is served only where it surely beats that list and fits into next_items.live_megabytes.
"""

from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from ml.data.interactions import IdMap, Rows
from ml.data.sessions import LONGEST, Offsets, Questions, Sessions
from ml.evaluation import prequential
from ml.lists.session_packing import packed
from ml.models.protocol import SessionRecipe
from ml.models.session.links import distinct
from ml.selection import gate, session_choice
from ml.selection.session_choice import AnyNext
from nextclick.lake.lists_manifest import PinnedSessionModel
from nextclick.lake.paths import Lake
from nextclick.next_item import parts
from nextclick.next_item.session_model import SessionModel
from nextclick.settings import Settings


class LiveRecipe(msgspec.Struct, frozen=True, kw_only=True):
    """What is fitted again by each update."""

    name: str
    """A kind of part, or `blend`."""
    recipe: AnyNext
    repeats: bool
    """Items of the session may come again."""

    def fit(self, sessions: Sessions, items: IdMap) -> SessionModel:
        """As answers ask it."""
        return packed(self.name, self.recipe.fit(sessions), items, self.repeats)


class LiveChoice(NamedTuple):
    """What was chosen for open sessions, and how good it is."""

    recipe: LiveRecipe | None = None
    """None: lists of single items answer."""
    reason: str = ""
    """Why these do."""
    facts: dict[str, float] = {}  # noqa: RUF012 (nobody writes into it)
    """HR@k and MRR@k on the test part, of it and of the lists (`floor`)."""


class ClicksByTime(NamedTuple):
    """By what is chosen, and by what that is judged: clicks that follow another, of two parts of the time."""

    chosen_from: int
    """Microseconds: where the validation part begins."""
    chosen_by: Offsets
    judged_from: int
    judged_by: Offsets


def choose(
    settings: Settings, sessions: Sessions, clicks: ClicksByTime, listed: SessionRecipe, hours: float | None
) -> LiveChoice:
    """The best for whole sessions, where it surely beats the lists of `listed`; what fades has a half-life of `hours`."""
    if not settings.next_items.live_megabytes:
        return LiveChoice(reason="next_items.live_megabytes is 0.")
    choice = session_choice.choose(
        sessions.between(0, clicks.chosen_from),
        _whole(sessions, clicks.chosen_by),
        settings.evaluation.k,
        settings.next_items.repeats,
        settings.evaluation.search_seconds / 2,
        settings.als.seed,
        hours,
    )
    if choice is None:
        return LiveChoice(reason=f"There are fewer than {session_choice.FEWEST} clicks to choose by.")
    recipe = LiveRecipe(name=choice.name, recipe=choice.recipe, repeats=choice.repeats)
    return _judged(settings, sessions, clicks, listed, recipe)


def _whole(sessions: Sessions, clicks: Offsets) -> Questions:
    """Each click with what its session held before: as many distinct items as answers look at."""
    return Questions(distinct(sessions.before(clicks, LONGEST), parts.LONGEST), sessions.item[clicks])


def _judged(
    settings: Settings, sessions: Sessions, clicks: ClicksByTime, listed: SessionRecipe, recipe: LiveRecipe
) -> LiveChoice:
    k, train = settings.evaluation.k, sessions.between(0, clicks.judged_from)
    questions, model = _whole(sessions, clicks.judged_by), recipe.fit(train, sessions.items)
    if model.megabytes > settings.next_items.live_megabytes:
        return LiveChoice(
            reason=f"{recipe.name} has {model.megabytes:.0f} MB, more than next_items.live_megabytes = "
            f"{settings.next_items.live_megabytes:g}."
        )
    own = prequential.rank(_lists(model, questions, k), questions.item)
    other = prequential.rank(listed.fit(train).next_items(questions.recent[:, -1:], k).items, questions.item)
    worths, floor = session_choice.worth(own, k), session_choice.worth(other, k)
    facts = {
        "hr": float((own > 0).mean()),
        "mrr": _reciprocal(own),
        "hr.floor": float((other > 0).mean()),
        "mrr.floor": _reciprocal(other),
    }
    low, high = gate.interval(worths - floor)
    if low > 0:
        return LiveChoice(recipe, facts=facts)
    return LiveChoice(
        reason=f"{recipe.name} is not surely better than the list of the last item: HR + MRR {worths.mean():.4f} and "
        f"{floor.mean():.4f} (difference {low:.4f} to {high:.4f} with 95 % confidence).",
        facts=facts,
    )


def _lists(model: SessionModel, questions: Questions, k: int) -> Rows:
    lists = np.full((len(questions), k), -1, np.int32)
    for row, recent in enumerate(questions.recent):
        items = model.next_items(recent[recent >= 0].tolist(), k).items
        lists[row, : len(items)] = items
    return lists


def _reciprocal(ranks: NDArray[np.int64]) -> float:
    return float(np.where(ranks > 0, 1 / np.maximum(ranks, 1), 0).mean())


def keep(lake: Lake, folder: str, choice: LiveChoice, sessions: Sessions) -> PinnedSessionModel:
    """Fit on everything, write it into `folder` below the lake's state folder; what the lists' manifest says of it."""
    if choice.recipe is None:
        return PinnedSessionModel(reason=choice.reason)
    digest = choice.recipe.fit(sessions, sessions.items).save(f"{lake.shared}/{folder}")
    recipe = msgspec.json.encode(choice.recipe).decode()
    return PinnedSessionModel(name=choice.recipe.name, folder=folder, digest=digest, recipe=recipe, reason="")


def again(lake: Lake, folder: str, before: PinnedSessionModel, sessions: Sessions) -> PinnedSessionModel:
    """The same recipe, fitted on the sessions that there are now."""
    recipe = msgspec.json.decode(before.recipe, type=LiveRecipe) if before.recipe else None
    return keep(lake, folder, LiveChoice(recipe, before.reason), sessions)
