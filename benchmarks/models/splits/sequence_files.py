"""Folders of sessions or of people's sequences, as the published tables of the next item use them.

Sessions: train.txt, a session a line, `item item …`, the order of lines stands for time; test.txt, a question a line,
the items so far, a tab, and the item that came next. Sequences: sequences.txt, a person a line, items in the order of
time; the last one is the test and the last but one the validation. Each may be gzipped, as .txt.gz.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from benchmarks.models.splits import text_files
from ml.data.interactions import IdMap
from ml.data.sessions import Offsets, Questions, Sessions
from nextclick.errors import UsageError

MOST_CLICKS = 50_000_000
_HOUR = 3_600_000_000

SESSIONS, SEQUENCES = "sessions", "sequences"
Lines = list[list[str]]


class SequenceSplit(NamedTuple):
    """What is learned from, by what models are chosen, and what is prefixes at last."""

    kind: str
    """SESSIONS or SEQUENCES."""
    train: Sessions
    validation: Questions | None
    """None: the last sessions of train."""
    test: Questions
    known: Sessions | None = None
    """What a nightly training would learn from, where that is more than train: of sequences also the last item but one."""


def read(folder: Path) -> SequenceSplit:
    """The split of a folder; UsageError names the file and line that is wrong."""
    if (path := text_files.existing(folder, "sequences")) is not None:
        return _sequences(path)
    if text_files.existing(folder, "train") is None:
        raise UsageError(f"{folder} holds neither sequences.txt nor train.txt and test.txt, plain or gzipped.")
    return _sessions(text_files.named(folder, "train"), text_files.named(folder, "test"))


def _sessions(train: Path, test: Path) -> SequenceSplit:
    learned = _clicks(train)
    prefixes, answers = _questions(test)
    items = _ids([*learned, *prefixes, answers])
    sessions = _as_sessions(items, learned, np.arange(len(learned)))
    return SequenceSplit(SESSIONS, sessions, None, Questions.of(items, prefixes, answers))


def _sequences(path: Path) -> SequenceSplit:
    every = _clicks(path)
    if not (long := [one for one in every if len(one) >= 3]):
        raise UsageError(f"{path}: no sequence has three items, which train, validation and test need.")
    items = _ids(every)
    train, known = (
        _as_sessions(items, [one[:-last] for one in long], np.zeros(len(long), np.int64)) for last in (2, 1)
    )
    validation, test = (
        Questions.of(items, [one[:-last] for one in long], [one[-last] for one in long]) for last in (2, 1)
    )
    return SequenceSplit(SEQUENCES, train, validation, test, known)


def _clicks(path: Path) -> Lines:
    lines, clicks = [], 0
    for number, words in text_files.words(path):
        lines.append(words)
        clicks += len(words)
        if clicks > MOST_CLICKS:
            raise UsageError(f"{path}, line {number}: more than {MOST_CLICKS:,} clicks, which is what is read at most.")
    if not lines:
        raise UsageError(f"{path} holds no item. A line is `item item …`.")
    return lines


def _questions(path: Path) -> tuple[Lines, list[str]]:
    prefixes, answers = [], []
    for number, line in text_files.lines(path):
        before, _, after = line.partition("\t")
        if len(answer := after.split()) != 1 or not (items := before.split()):
            raise UsageError(
                f"{path}, line {number}: it must be the items so far, a tab, and the one item that came next."
            )
        prefixes.append(items)
        answers += answer
    if not prefixes:
        raise UsageError(f"{path} holds no question. A line is `item item …<tab>item`.")
    return prefixes, answers


def _ids(lines: Lines) -> IdMap:
    return IdMap(pa.array(sorted({item for line in lines for item in line}), pa.string()))


def _as_sessions(items: IdMap, lines: Lines, hour: Offsets) -> Sessions:
    """A session a line, at the hours that are given, its clicks a microsecond apart."""
    lengths = np.array([len(line) for line in lines], np.int64)
    start = np.concatenate([[0], np.cumsum(lengths)])
    at = np.repeat(hour * _HOUR - start[:-1], lengths) + np.arange(start[-1])
    return Sessions(items, items.rows([item for line in lines for item in line]), at, start)
