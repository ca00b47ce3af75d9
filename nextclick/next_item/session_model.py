"""The session model that answers are made of: parts, each with its weight, as files beside the lists, pinned by a digest.

    card.json    what the parts are, and the sha256 of the other two      items.json   the id of each item's row
    model.npz    the parts' arrays

With p a part's scores as shares of one, an item's score is Σ weight · ln(1 + p / floor), and `held` more for what the session
holds: as ml/models/session/blend.py says it.
"""

import hashlib
import io
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np

from nextclick import formats
from nextclick.errors import ModelError
from nextclick.lake import files
from nextclick.next_item.parts import LONGEST, Arrays, Numbers, Part, Returns, Scores, Values, added

_NPZ, _IDS, _CARD = "model.npz", "items.json", "card.json"
_REMEDY: Final = "Call `nextclick train`: it makes the lists, and what goes with them, anew."
_LEAST: Final = 1e-30


class SessionCard(msgspec.Struct, frozen=True, kw_only=True):
    """What card.json says."""

    format: int = formats.SESSION_MODEL
    name: str
    """What was chosen: a kind of part, or `blend`."""
    repeats: bool
    """Items of the session may come again."""
    parts: dict[str, Part]
    floor: float
    held: float = 0.0
    sha256: dict[str, str] = {}


@dataclass(frozen=True, eq=False)
class SessionModel:
    """A fitted model over the items with these ids."""

    card: SessionCard
    ids: Sequence[str]
    arrays: Mapping[str, Arrays]
    """Of each part."""

    def next_items(self, recent: Sequence[int], n: int) -> Scores:
        """The n likeliest rows to follow those of a session, the latest last; nothing where none of them leads anywhere."""
        held = distinct(recent)
        scores = [self._opinion(name, part, held) for name, part in self.card.parts.items()] if len(held) else []
        if not any(len(each.items) for each in scores):
            return Scores(held[:0], np.empty(0, np.float32))
        if self.card.held:
            scores.append(Scores(held, np.full(len(held), self.card.held, np.float32)))
        listed, opinions = (np.concatenate(some) for some in zip(*scores, strict=True))
        items, values = added(listed, opinions, len(self.ids))
        if not self.card.repeats:
            values[np.isin(items, held)] = 0
        return _best(items, values, n)

    def _opinion(self, name: str, part: Part, recent: Numbers) -> Scores:
        """What a part adds to the score of each item that it lists."""
        items, values = part.scores(self.arrays[name], recent, len(self.ids))
        values = np.maximum(values, 0)
        total = 1.0 if isinstance(part, Returns) else float(values.sum(dtype=np.float64))
        return Scores(
            items, np.float32(part.weight) * np.log1p(values / np.float32(max(total * self.card.floor, _LEAST)))
        )

    @property
    def megabytes(self) -> float:
        """What its arrays take in memory."""
        return sum(array.nbytes for part in self.arrays.values() for array in part.values()) / 1e6

    def save(self, address: str) -> str:
        """Write it into the folder `address`, which appears whole or not at all; returns the digest."""
        with files.new_folder(address) as folder:
            flat = {f"{part}/{name}": array for part, own in self.arrays.items() for name, array in own.items()}
            np.savez(folder / _NPZ, **flat)  # type: ignore[arg-type]
            (folder / _IDS).write_bytes(msgspec.json.encode(self.ids))
            pins = {name: _sha256((folder / name).read_bytes()) for name in (_NPZ, _IDS)}
            card = msgspec.json.format(msgspec.json.encode(msgspec.structs.replace(self.card, sha256=pins)))
            (folder / _CARD).write_bytes(card)
            return _sha256(card)


def load(address: str, digest: str, most_megabytes: float) -> SessionModel:
    """Read and check a model. ModelError where a file is not the one that was pinned, or the model is too large for memory."""
    try:
        stored = _read(address, _CARD, digest)
        formats.refuse_newer_json(f"{address}/{_CARD}", stored, formats.SESSION_MODEL)
        card = msgspec.json.decode(stored, type=SessionCard)
        if (size := files.size(f"{address}/{_NPZ}") / 1e6) > most_megabytes:
            raise ModelError(
                f"The session model has {size:.0f} MB, more than next_items.live_megabytes = {most_megabytes:g}."
            )
        ids = msgspec.json.decode(_read(address, _IDS, card.sha256[_IDS]), type=list[str])
        arrays = _arrays(_read(address, _NPZ, card.sha256[_NPZ]), card)
        for name, part in card.parts.items():
            part.check(arrays[name], len(ids))
    except (OSError, ValueError, KeyError, EOFError, msgspec.MsgspecError, zipfile.BadZipFile) as error:
        raise ModelError(f"The session model in {address} cannot be used: {error!r}. {_REMEDY}") from error
    return SessionModel(card, ids, arrays)


def distinct(recent: Sequence[int]) -> Numbers:
    """The last LONGEST distinct rows, each at its latest place."""
    latest = list(dict.fromkeys(reversed(recent)))[:LONGEST]
    return np.array(latest[::-1], np.int64)


def _best(items: Numbers, values: Values, n: int) -> Scores:
    """The n highest positive scores; of equal ones the lower row comes first."""
    if len(values) > n:
        least = np.partition(values, len(values) - n)[len(values) - n]
        kept = values >= least
        items, values = items[kept], values[kept]
    kept = values > 0
    items, values = items[kept], values[kept]
    order = np.lexsort((items, -values))[:n]
    return Scores(items[order], values[order])


def _arrays(stored: bytes, card: SessionCard) -> dict[str, Arrays]:
    with np.load(io.BytesIO(stored), allow_pickle=False) as npz:
        return {
            part: {name.removeprefix(f"{part}/"): npz[name] for name in npz if name.startswith(f"{part}/")}
            for part in card.parts
        }


def _read(address: str, name: str, digest: str) -> bytes:
    content = files.read(f"{address}/{name}")
    if content is None or _sha256(content) != digest:
        raise ModelError(f"{address}/{name} is missing or is not the file that was written with the lists. {_REMEDY}")
    return content


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
