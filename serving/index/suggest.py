"""Search suggestions: names of items and past queries that start with what was typed, or would but for a slip."""

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Final, NamedTuple

import numpy as np
from rapidfuzz import process
from rapidfuzz.distance import OSA

from serving.index.items import UNKNOWN, Floats, ItemColumns

_WORD: Final = re.compile(r"\w+")
_END: Final = "\U0010ffff"
_MOST_WORDS: Final = 50_000
"""Different words among which slips are looked for: the most frequent ones."""
_CORRECTIONS: Final = 3
"""Corrections of one word that are tried."""


class Completion(NamedTuple):
    """A text, the item that it names (None: a past query), and the terms of its score."""

    text: str
    item: int | None
    score: float
    popularity: float
    interest: float
    corrected: bool

    @property
    def terms(self) -> dict[str, float]:
        return {"popularity": self.popularity, "interest": self.interest, "corrected": float(self.corrected)}


class _Text(NamedTuple):
    text: str
    item: int | None
    popularity: float


class SuggestionIndex:
    """Looks texts up by the beginnings of their words; `prepare` makes the index, or the first use."""

    def __init__(self, stock: ItemColumns, popularity: Floats, queries: Sequence[tuple[str, int]]) -> None:
        self._stock, self._popularity, self._queries = stock, popularity, queries
        self._cut: dict[int, list[str]] = {}

    def find(self, typed: str, n: int, interest: Mapping[str, float]) -> list[Completion]:
        """The n best: score = 0.7·popularity + 0.3·interest in the item's category, a quarter less after a correction."""
        words = _WORD.findall(typed.lower())
        if not words:
            return []
        completions = self._scored(self._starting(words), interest, False)
        if len(completions) < n:
            known = {each.text for each in completions}
            others = (text for corrected in self._corrections(words) for text in self._starting(corrected))
            completions += [each for each in self._scored(others, interest, True) if each.text not in known]
        return sorted(completions, key=lambda each: (-each.score, each.text))[:n]

    @cached_property
    def _texts(self) -> list[_Text]:
        """Distinct texts; of items with one name the most popular."""
        texts: dict[str, _Text] = {}
        recommendable = self._stock.recommendable.tolist()
        names = ((number, name) for number, name in enumerate(self._stock.names) if name and recommendable[number])
        for number, name in sorted(names, key=lambda pair: -self._popularity[pair[0]]):
            texts.setdefault(name.lower(), _Text(name, number, float(self._popularity[number])))
        middle = float(np.median([times for _, times in self._queries])) if self._queries else 1.0
        for query, times in self._queries:
            texts.setdefault(query, _Text(query, None, times / (times + middle)))
        return list(texts.values())

    @cached_property
    def _starts(self) -> tuple[list[str], list[int]]:
        """Each text from the start of each of its words on, sorted, and the text that it is of."""
        pairs = sorted(
            (match.string[match.start() :], number)
            for number, each in enumerate(self._texts)
            for match in _WORD.finditer(each.text.lower())
        )
        return [start for start, _ in pairs], [number for _, number in pairs]

    @cached_property
    def _words(self) -> list[str]:
        counts = Counter(word for each in self._texts for word in set(_WORD.findall(each.text.lower())))
        return [word for word, _ in counts.most_common(_MOST_WORDS)]

    def _beginnings(self, length: int) -> list[str]:
        """The different beginnings of that length that known words have."""
        if length not in self._cut:
            self._cut[length] = list(dict.fromkeys(word[:length] for word in self._words))
        return self._cut[length]

    def prepare(self) -> None:
        """Make the index now, so that no request waits for it."""
        _ = self._starts, self._words

    def _starting(self, words: Sequence[str]) -> set[int]:
        """The texts in which every word typed is the beginning of one."""
        starts, owners = self._starts
        matches: set[int] | None = None
        for word in words:
            here = set(owners[bisect_left(starts, word) : bisect_left(starts, word + _END)])
            matches = here if matches is None else matches & here
        return matches or set()

    def _corrections(self, words: Sequence[str]) -> Iterable[list[str]]:
        """The words with one of them replaced by a known beginning that is a slip or two away."""
        for place, word in enumerate(words):
            slips = 1 if len(word) < 5 else 2
            if len(word) < 3:
                continue
            known = self._words if place < len(words) - 1 else self._beginnings(len(word))
            near = process.extract(word, known, scorer=OSA.distance, score_cutoff=slips, limit=_CORRECTIONS)
            yield from ([*words[:place], other, *words[place + 1 :]] for other, _, _ in near if other != word)

    def _scored(self, candidates: Iterable[int], interest: Mapping[str, float], corrected: bool) -> list[Completion]:
        scored = []
        for number in set(candidates):
            text, item, popularity = self._texts[number]
            code = UNKNOWN if item is None else int(self._stock.category[item])
            leaning = max(0.0, interest.get(self._stock.category_names[code], 0.0)) if code >= 0 else 0.0
            score = (0.7 * popularity + 0.3 * leaning) * (0.75 if corrected else 1.0)
            scored.append(Completion(text, item, score, popularity, leaning, corrected))
        return scored
