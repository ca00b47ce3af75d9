"""Frames of people as terms that are learned from: churn, and a purchase within a week."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa

from ml.predictions.frames import NUMBERS, WORDS, Floats, Frame
from ml.predictions.learn import Rows
from nextclick.profile.predictions import Name, Predictor

Vocabulary = Mapping[str, Sequence[str]]
_MOST_WORDS: Final = 12
_LOGS: Final = tuple(name for name in NUMBERS if name != "hour")
ALONE: Final[Mapping[Name, str]] = {"churn": "days_away", "conversion_7d": "depth"}
"""The one term whose counted rates a model has to beat: log(1 + days since the last event); how near to a purchase they came."""


def vocabulary(frames: Sequence[Frame]) -> Vocabulary:
    """The words that are frequent in these frames; others have no term."""
    counts = {name: Counter[str](word for frame in frames for word in frame.words[name].tolist()) for name in WORDS}
    return {name: sorted(word for word, _ in count.most_common(_MOST_WORDS) if word) for name, count in counts.items()}


def terms(frame: Frame, words: Vocabulary) -> dict[str, Floats]:
    """Each measured from its mean over the people of the frame, in its standard deviations there, so that what moves all alike (a longer
    history, a holiday) moves nobody: log(1 + x) of each number, the hour as a place on a circle, for each word whether it is this one.
    Beside them those of ALONE, as they are.
    """
    angle = frame.numbers["hour"] * (2 * np.pi / 24)
    columns: dict[str, Floats] = {name: np.log1p(frame.numbers[name]) for name in _LOGS}
    columns |= {"hour_sin": np.sin(angle), "hour_cos": np.cos(angle)}
    for name, listed in words.items():
        columns |= {f"{name}={word}": (frame.words[name] == word).astype(np.float64) for word in listed}
    unlike = {name: (values - values.mean()) / (values.std() or 1.0) for name, values in columns.items()}
    return unlike | {"days_away": columns["recency"], "depth": depth(frame)}


def depth(frame: Frame) -> Floats:
    """0: nothing of a shop; 1: viewed an item; 2: put one into the cart; 3: bought."""
    levels: Any = [frame.numbers[name] > 0 for name in ("item_views", "carts", "purchases")]
    return np.select(levels[::-1], [3.0, 2.0, 1.0], 0.0)


def rows(frame: Frame, name: Name, words: Vocabulary) -> Rows:
    """What is learned from, or judged by; of ALONE the term of `name`."""
    known = terms(frame, words)
    others = {*ALONE.values()} - {ALONE[name]}
    return Rows({term: known[term] for term in known if term not in others}, frame.labels[name], sides(frame.people))


def sides(people: pa.StringArray) -> Floats:
    """A number in [0, 1) a person, the same at all times."""
    hashed = (
        hashlib.blake2b(person.encode("utf-8", "surrogatepass"), digest_size=4).digest()
        for person in people.to_pylist()
    )
    return np.array([int.from_bytes(each, "big") for each in hashed], np.float64) / 2**32


def named(model: Predictor) -> Vocabulary:
    """The words that a model has coefficients for."""
    pairs = [name.partition("=") for name in model.coefficients if "=" in name]
    return {column: [word for other, _, word in pairs if other == column] for column in WORDS}


def reasons(model: Predictor, known: Mapping[str, Floats], most: int = 3) -> list[list[tuple[str, float]]]:
    """Of each row the terms that move its z most away from the mean of those whom it was learned from, with how far, the most first."""
    names = list(model.coefficients)
    moved = np.column_stack([model.coefficients[name] * (known[name] - model.means.get(name, 0.0)) for name in names])
    order = np.argsort(-np.abs(moved), axis=1, kind="stable")[:, :most]
    return [[(names[place], float(moved[row, place])) for place in places] for row, places in enumerate(order.tolist())]
