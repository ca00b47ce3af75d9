"""Folders of train.txt and test.txt, as the published tables of Gowalla and others use them.

A line is `person item item …`, ids of any form, between blanks; a line with a person
alone says that this person has nothing there. Either file may be gzipped, as .txt.gz.
"""

from pathlib import Path

import numpy as np
import pyarrow as pa

from benchmarks.models.splits import text_files
from ml.data.interactions import from_ids
from ml.data.split import Split, from_parts
from nextclick.errors import UsageError

MOST_PAIRS = 100_000_000


def read_split(folder: Path) -> Split:
    """Both files of a folder; UsageError names the file and line that is wrong."""
    parts = [_pairs(text_files.named(folder, name)) for name in ("train", "test")]
    person, item = ([*parts[0][side], *parts[1][side]] for side in (0, 1))
    both = from_ids(pa.array(person, pa.string()), pa.array(item, pa.string()))
    learned = np.arange(len(both)) < len(parts[0][0])
    pairs = np.sort(both.person.astype(np.int64) * len(both.items) + both.item)
    if (pairs[1:] == pairs[:-1]).any():
        twice = int(pairs[1:][pairs[1:] == pairs[:-1]][0])
        who, what = both.people.ids[twice // len(both.items)], both.items.ids[twice % len(both.items)]
        raise UsageError(f"{folder}: person {who} has item {what} in both files. Take it out of one of them.")
    return from_parts(both.where(learned), both.where(~learned))


def _pairs(path: Path) -> tuple[list[str], list[str]]:
    """Person and item of each pair."""
    people: list[str] = []
    items: list[str] = []
    lines: dict[str, int] = {}
    for number, (person, *used) in text_files.words(path):
        if (first := lines.setdefault(person, number)) != number:
            raise UsageError(f"{path}, line {number}: person {person} is on line {first} already. Join the two lines.")
        if len(set(used)) < len(used):
            raise UsageError(f"{path}, line {number}: an item stands there twice. Name each item once.")
        people += [person] * len(used)
        items += used
        if len(items) > MOST_PAIRS:
            raise UsageError(f"{path}, line {number}: more than {MOST_PAIRS:,} pairs, which is what is read at most.")
    if not items:
        raise UsageError(f"{path} holds no pair. A line is `person item item …`.")
    return people, items
