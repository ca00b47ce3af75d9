"""Folders of train.txt and test.txt, as the published tables of Gowalla and others use them.

A line is `person item item …`, ids of any form, between blanks; a line with a person
alone says that this person has nothing there. Either file may be gzipped, as .txt.gz.
"""

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np
import pyarrow as pa

from ml.data.interactions import from_ids
from ml.data.split import Split, from_parts
from nextclick.errors import UsageError

LONGEST_LINE = 1 << 24
"""Bytes; a longer line is not one person's items."""
MOST_PAIRS = 100_000_000


def read_split(folder: Path) -> Split:
    """Both files of a folder; UsageError names the file and line that is wrong."""
    parts = [_pairs(_file(folder, name)) for name in ("train", "test")]
    person, item = ([*parts[0][side], *parts[1][side]] for side in (0, 1))
    both = from_ids(pa.array(person, pa.string()), pa.array(item, pa.string()))
    learned = np.arange(len(both)) < len(parts[0][0])
    pairs = np.sort(both.person.astype(np.int64) * len(both.items) + both.item)
    if (pairs[1:] == pairs[:-1]).any():
        twice = int(pairs[1:][pairs[1:] == pairs[:-1]][0])
        who, what = both.people.ids[twice // len(both.items)], both.items.ids[twice % len(both.items)]
        raise UsageError(f"{folder}: person {who} has item {what} in both files. Take it out of one of them.")
    return from_parts(both.where(learned), both.where(~learned))


def _file(folder: Path, name: str) -> Path:
    for path in (folder / f"{name}.txt", folder / f"{name}.txt.gz"):
        if path.is_file():
            return path
    raise UsageError(f"{folder} holds neither {name}.txt nor {name}.txt.gz. Name a folder with both parts by --data.")


def _pairs(path: Path) -> tuple[list[str], list[str]]:
    """Person and item of each pair."""
    people: list[str] = []
    items: list[str] = []
    lines: dict[str, int] = {}
    for number, (person, *used) in _lines(path):
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


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """The words of each line that has any, and its number."""
    number = 0
    try:
        with _open(path) as file:
            while line := file.readline(LONGEST_LINE):
                number += 1
                if len(line) == LONGEST_LINE:
                    raise UsageError(f"{path}, line {number}: longer than {LONGEST_LINE:,} bytes.")
                if words := line.decode().split():
                    yield number, words
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}, after line {number}: {error}. It must be text in UTF-8, gzipped if .gz.") from error


def _open(path: Path) -> IO[bytes]:
    return gzip.open(path) if path.suffix == ".gz" else path.open("rb")  # type: ignore[return-value]
