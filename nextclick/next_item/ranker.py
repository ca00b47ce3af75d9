"""The learned ranker as exports carry it: LightGBM's own text, and a card that pins it. `ml` learns it, the API ranks with it.

    _state/ranker/card.json     what it was learned from and how good it is, and the sha256 of the text
    _state/ranker/trees.txt     the trees

It ranks by the features that the click model has too (nextclick/ctr.py), so what is logged with answers teaches both. Nothing
here knows LightGBM: who only carries a ranker does not import it. A text is checked tree by tree before LightGBM reads it.
"""

import hashlib
import math
from typing import Final

import msgspec

from nextclick import formats
from nextclick.ctr import FEATURES
from nextclick.errors import ModelError
from nextclick.lake import files
from nextclick.lake.paths import Lake

MOST_BYTES: Final = 8_000_000
"""A longer text is no ranker of ours: 200 trees of 31 leaves have 500 kB."""
_MOST_LEAVES: Final = 1_000
_LINKS: Final = ("split_feature", "left_child", "right_child")
_REMEDY: Final = "Call `nextclick train`: it learns one anew."


class RankerCard(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a ranker."""

    format: int = formats.RANKER
    version: str
    """Its registered version."""
    features: tuple[str, ...] = FEATURES
    """The columns that it ranks by, in their order."""
    trees: int
    """How many there are."""
    metrics: dict[str, float] = {}
    sha256: str
    """Of the text."""


class LearnedRanker(msgspec.Struct, frozen=True):
    """A ranker whole."""

    card: RankerCard
    trees: str
    """LightGBM's text."""


def folder(lake: Lake) -> str:
    """Where the ranker that passed its gate lies, for the next export to take along."""
    return f"{lake.shared}/ranker"


def write(lake: Lake, ranker: LearnedRanker) -> None:
    """Keep it as the one that is served."""
    with files.new_folder(folder(lake)) as draft:
        (draft / "trees.txt").write_text(ranker.trees)
        (draft / "card.json").write_bytes(msgspec.json.format(msgspec.json.encode(ranker.card)))


def read(lake: Lake) -> LearnedRanker | None:
    """The ranker for the next export; None where none passed its gate, or the features were others when it was learned.

    ModelError where its files are not what was written.
    """
    card, trees = (files.read(f"{folder(lake)}/{name}") for name in ("card.json", "trees.txt"))
    if card is None:
        return None
    try:
        known = msgspec.json.decode(card, type=RankerCard)
        return _checked(LearnedRanker(known, (trees or b"").decode())) if known.features == FEATURES else None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ModelError(f"The ranker in {folder(lake)} cannot be read: {error}. {_REMEDY}") from error


def encode(ranker: LearnedRanker) -> bytes:
    """The ranker as one entry of the key-value table."""
    return msgspec.msgpack.encode(ranker)


def decode(stored: bytes) -> LearnedRanker:
    """A stored ranker; ModelError if it is none, or its text is not the one that was registered."""
    try:
        return _checked(msgspec.msgpack.decode(stored, type=LearnedRanker))
    except msgspec.MsgspecError as error:
        raise ModelError(f"The ranker cannot be read: {error}. {_REMEDY}") from error


def sha256(trees: str) -> str:
    """The digest that pins a text."""
    return hashlib.sha256(trees.encode()).hexdigest()


def _checked(ranker: LearnedRanker) -> LearnedRanker:
    card = ranker.card
    formats.refuse_newer("The ranker", card.format, formats.RANKER, ModelError)
    if len(ranker.trees) > MOST_BYTES or sha256(ranker.trees) != card.sha256:
        raise ModelError(
            f"The trees of version {card.version} of the ranker are not those that were registered. {_REMEDY}"
        )
    try:
        require_sound(ranker.trees, card.trees)
    except (ValueError, KeyError) as error:
        raise ModelError(
            f"The trees of version {card.version} of the ranker are damaged: {error}. {_REMEDY}"
        ) from error
    return ranker


def require_sound(text: str, trees: int) -> None:
    """ValueError or KeyError unless LightGBM can read the text: it ends the whole process over one that is cut short."""
    head, *blocks = text.partition("\nend of trees")[0].split("\n\nTree=")
    header = _fields(head)
    sizes = [int(size) for size in header["tree_sizes"].split()]
    body = text.find("\nTree=0\n") + 1
    if header["feature_names"].split() != list(FEATURES) or header["max_feature_idx"] != str(len(FEATURES) - 1):
        raise ValueError(f"their features are {header['feature_names']}, where there are {', '.join(FEATURES)}")
    if len(sizes) != trees or len(blocks) != trees or not text.startswith("end of trees", body + sum(sizes)):
        raise ValueError(f"there are {len(blocks)} of {trees}")
    for block in blocks:
        _require_tree(_fields(block))


def _require_tree(fields: dict[str, str]) -> None:
    leaves = int(fields["num_leaves"])
    if fields["num_cat"] != "0" or not 1 <= leaves <= _MOST_LEAVES:
        raise ValueError("a tree has categories, or too many leaves")
    values = [float(value) for value in fields["leaf_value"].split()]
    if leaves > 1:
        split, left, right = ([int(value) for value in fields[name].split()] for name in _LINKS)
        values += [float(value) for value in fields["threshold"].split()]
        inner = range(leaves - 1)
        if {len(each) for each in (split, left, right, fields["decision_type"].split())} != {len(inner)}:
            raise ValueError("a tree is cut short")
        if not all(0 <= feature < len(FEATURES) for feature in split):
            raise ValueError("a tree asks for a feature that there is not")
        if not all(
            -leaves <= child < 0 or node < child < leaves - 1
            for each in (left, right)
            for node, child in enumerate(each)
        ):
            raise ValueError("a tree leads nowhere, or in a circle")
    if len(values) != max(1, 2 * leaves - 1) or not all(map(math.isfinite, values)):
        raise ValueError("a tree is cut short, or holds NaN or infinity")


def _fields(text: str) -> dict[str, str]:
    """The lines `name=value`."""
    return {name: value for name, _, value in (line.partition("=") for line in text.splitlines())}
