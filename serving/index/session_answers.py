"""What follows an open session as a whole: the session model of one version, over the items of its catalogue."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from nextclick.errors import ModelError
from nextclick.kv.lists.protocol import Snapshot
from nextclick.lake.lists_manifest import PinnedSessionModel
from nextclick.next_item import session_model
from nextclick.next_item.session_model import SessionModel
from nextclick.settings import Settings
from serving.index.items import UNKNOWN, ItemColumns, Numbers

_log: Final = logging.getLogger("_granian.serving")


@dataclass(frozen=True, eq=False)
class SessionAnswers:
    """Answers by the session model; without one, why lists of single items answer."""

    reason: str
    model: SessionModel | None = None
    number: Numbers | None = None
    """Of each of the model's rows the item's index; UNKNOWN for what the catalogue does not have."""
    row: Numbers | None = None
    """The other way round; one row more, for unknown items."""

    def after(self, numbers: Sequence[int], n: int) -> Numbers:
        """Indices of the n likeliest items to follow those of a session, the latest last; none where the model knows nothing."""
        if self.model is None or self.number is None or self.row is None:
            return np.empty(0, np.int64)
        rows = [row for row in self.row[list(numbers)].tolist() if row != UNKNOWN]
        items: Numbers = self.number[self.model.next_items(rows, n).items]
        known: Numbers = items[items != UNKNOWN]
        return known


NONE: Final = SessionAnswers("Nobody reads session models here.")


class SessionModels:
    """Reads the session model that a version names; the last one is kept, as most exports name the same."""

    def __init__(self, settings: Settings) -> None:
        self._folder = settings.lake.shared
        self._limit = settings.next_items.live_megabytes
        self._last: tuple[str, SessionModel] | None = None

    def read(self, snapshot: Snapshot, stock: ItemColumns) -> SessionAnswers:
        """What cannot be used costs no list: those of single items answer, and it is logged."""
        pinned = snapshot.manifest.lists.session
        if not pinned.folder:
            return SessionAnswers(pinned.reason)
        try:
            model = self._model(pinned)
        except ModelError as error:
            _log.warning("%s Lists of single items answer open sessions.", error)
            return SessionAnswers("The session model cannot be used; the log says why.")
        number = stock.numbers(model.ids)
        row = np.full(len(stock) + 1, UNKNOWN, np.int64)
        row[number] = np.arange(len(number))
        row[UNKNOWN] = UNKNOWN
        return SessionAnswers("", model, number, row)

    def _model(self, pinned: PinnedSessionModel) -> SessionModel:
        if not self._limit:
            raise ModelError("next_items.live_megabytes is 0.")
        if self._last is None or self._last[0] != pinned.digest:
            model = session_model.load(f"{self._folder}/{pinned.folder}", pinned.digest, self._limit)
            self._last = pinned.digest, model
        return self._last[1]
