"""A model on disk: arrays as npz, id maps and facts as JSON, and never a pickle.

    model.npz     the model's arrays, what each person has seen (CSR), the popularity of items
    people.json   the id of each person's row       items.json   the id of each item's row
    card.json     recipe, source, sizes, and the sha256 of the three files above

The sha256 of card.json therefore pins everything; it is the artifact's digest, kept in
the registry and in the lists' manifest. What is loaded is checked: digest, keys,
dtypes, shapes, finiteness.
"""

import hashlib
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from ml.data.interactions import IdMap, TableVersion
from ml.models.protocol import Arrays, Layout, Recommender
from ml.models.topk import sparse_arrays
from ml.models.topk.sparse_arrays import Sparse
from ml.models.user_item.blend import Blend, Member
from ml.models.user_item.popular import Popular, PopularModel
from nextclick import formats
from nextclick.errors import ModelError
from nextclick.lake import files

AnyRecipe = Member | Blend
"""The recipes that there are; JSON tells them apart by `model`."""

_FILES = ("model.npz", "people.json", "items.json")
_NOT_REGISTERED = "{} is missing or is not the file that was registered. Call `nextclick train` for a new model."


class SimilarSource(msgspec.Struct, frozen=True):
    """By which model items are alike: ml/lists/similar_items.py."""

    often: str = "personal"
    """For items that many have used."""
    seldom: str = "tfidf"
    """For the others."""


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """What card.json says."""

    format: int = formats.MODEL
    recipe: AnyRecipe
    popular: Popular
    """The recipe of the popular list."""
    similar: SimilarSource = SimilarSource()
    site: str
    source: TableVersion
    as_of: int
    """Newest event that it has learned from, in microseconds."""
    people: int
    items: int
    sha256: dict[str, str] = {}

    @property
    def ids_digest(self) -> str:
        """Digest of both id maps: which row is whose."""
        return hashlib.sha256("".join(self.sha256[name] for name in _FILES[1:]).encode()).hexdigest()


@dataclass(frozen=True)
class Artifact:
    """A fitted model with everything that its lists are made of: lists follow from it alone."""

    card: Card
    model: Recommender
    popular: PopularModel
    people: IdMap
    items: IdMap
    seen: csr_matrix
    """People × items: what each person has used."""

    def save(self, address: str) -> str:
        """Write it into the folder `address`, which appears whole or not at all; returns the digest."""
        with files.new_folder(address) as folder:
            np.savez(folder / "model.npz", **_stored(self))  # type: ignore[arg-type]
            for name, ids in (("people.json", self.people), ("items.json", self.items)):
                (folder / name).write_bytes(msgspec.json.encode(ids.ids.to_pylist()))
            card = msgspec.structs.replace(self.card, sha256={name: _sha256(folder / name) for name in _FILES})
            (folder / "card.json").write_bytes(msgspec.json.format(msgspec.json.encode(card)))
            return _sha256(folder / "card.json")


def load(address: str, digest: str | None = None) -> Artifact:
    """Read and check an artifact; ModelError says which file is not what it was or should be."""
    card = read_card(address, digest)
    with files.folder(address) as folder:
        return _load(folder, card)


def _load(folder: Path, card: Card) -> Artifact:
    for name, expected in card.sha256.items():
        _expect(folder / name, expected)
    people, items = (
        _ids(folder / name, size) for name, size in (("people.json", card.people), ("items.json", card.items))
    )
    arrays = _arrays(folder / "model.npz", card)
    shape = (card.people, card.items)
    values = np.ones(len(arrays["seen_indices"]), np.float32)
    try:
        seen = csr_matrix((values, arrays["seen_indices"], arrays["seen_indptr"]), shape=shape)
        seen.check_format(full_check=True)
    except ValueError as error:
        raise ModelError(f"{folder / 'model.npz'}: what people have seen is no matrix of {shape}: {error}.") from error
    popular = card.popular.restore({"item_scores": arrays["popularity"]})
    return Artifact(card, card.recipe.restore(arrays), popular, people, items, seen)


def flat(layout: Layout, arrays: Arrays) -> dict[str, tuple[Any, tuple[int, ...]]]:
    """Dtype and shape of each array that a recipe expects; of a sparse matrix, what fits its own `indptr`."""
    expected: dict[str, tuple[Any, tuple[int, ...]]] = {}
    for name, shape in layout.items():
        expected |= shape.flat(name, arrays) if isinstance(shape, Sparse) else {name: (np.float32, shape)}
    return expected


def _stored(artifact: Artifact) -> dict[str, NDArray[Any]]:
    seen = {
        "seen_indptr": artifact.seen.indptr.astype(np.int64),
        "seen_indices": artifact.seen.indices.astype(np.int32),
    }
    return {**artifact.model.arrays, **seen, "popularity": artifact.popular.item_scores}


def read_card(address: str, digest: str | None = None) -> Card:
    """Read card.json, checked against `digest` if there is one."""
    path = f"{address}/card.json"
    try:
        stored = files.read(path) or b""
        if digest not in (None, hashlib.sha256(stored).hexdigest()):
            raise ModelError(_NOT_REGISTERED.format(path))
        formats.refuse_newer_json(path, stored, formats.MODEL)
        return msgspec.json.decode(stored, type=Card)
    except (OSError, msgspec.MsgspecError) as error:
        raise ModelError(f"{path} cannot be read as a model's card: {error}. Call `nextclick train`.") from error


def _expect(path: Path, sha256: str) -> None:
    if not path.exists() or _sha256(path) != sha256:
        raise ModelError(_NOT_REGISTERED.format(path))


def _ids(path: Path, size: int) -> IdMap:
    ids = IdMap(pa.array(msgspec.json.decode(path.read_bytes(), type=list[str]), pa.string()))
    if len(ids) != size:
        raise ModelError(f"{path} names {len(ids)} ids; its card says {size}.")
    return ids


def _arrays(path: Path, card: Card) -> dict[str, NDArray[Any]]:
    """The npz, each array with the dtype and shape that the card's recipe expects, and finite."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = dict(stored)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ModelError(f"{path} cannot be read as npz: {error}. Call `nextclick train` for a new model.") from error
    layout = {
        "popularity": (np.float32, (card.items,)),
        "seen_indptr": (np.int64, (card.people + 1,)),
        "seen_indices": (np.int32, (sparse_arrays.last(arrays, "seen_indptr"),)),
        **flat(card.recipe.layout(card.people, card.items), arrays),
    }
    actual = {name: (array.dtype.type, array.shape) for name, array in arrays.items()}
    if actual != layout:
        raise ModelError(f"{path} holds {actual}; its recipe expects {layout}.")
    broken = [name for name, array in arrays.items() if not np.isfinite(array).all()]
    if broken:
        raise ModelError(f"{path}: {', '.join(broken)} holds NaN or infinity. Call `nextclick train` for a new model.")
    return arrays


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
