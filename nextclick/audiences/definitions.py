"""conf/audiences/NAME.toml → audiences. A mistake is an AudienceError that names the file, the key, and what may stand there."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_args

import msgspec
from msgspec import Meta

from nextclick.audiences import conditions
from nextclick.audiences.conditions import Condition, Count, GoldNumber, GoldWord, Prediction, leaves, tally
from nextclick.audiences.durations import duration
from nextclick.audiences.facts import Field, Key, Number
from nextclick.audiences.facts import Word as GoldWordName
from nextclick.conf_files import Form, toml
from nextclick.errors import AudienceError, UsageError
from nextclick.profile.predictions import NIGHTLY
from nextclick.profile.profile import KINDS

MOST_CONDITIONS: Final = 64
"""Of one audience."""
MOST_DEPTH: Final = 8
FORM: Final = Form("audience", "docs/audiences.md", AudienceError)
Text = Annotated[str, Meta(min_length=1, max_length=256)]
Texts = Text | Annotated[tuple[Text, ...], Meta(min_length=1, max_length=100)]
Amount = Annotated[float, Meta(ge=0)]


class _Leaf(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    least: Amount | None = None
    most: Amount | None = None


class _Count(_Leaf, frozen=True):
    event: Texts
    within: str
    item: Texts = ()
    category: Texts = ()
    query: Text | None = None
    of: conditions.Measure = "events"


class _Prediction(_Leaf, frozen=True):
    prediction: str
    of: Literal["probability", "decile"] = "probability"


class _Fact(_Leaf, frozen=True):
    fact: str
    currency: str = ""
    one_of: Texts = ()


class _File(msgspec.Struct, frozen=True, kw_only=True):
    meaning: Annotated[str, Meta(min_length=1, max_length=500)]
    site: Annotated[str, Meta(max_length=256)] = ""
    off: bool = False


class Audience(msgspec.Struct, frozen=True, kw_only=True):
    """One file of conf/audiences/: those who meet its condition."""

    name: str
    meaning: str
    site: str = ""
    """The only site whose visitors and users it is about; "": each."""
    off: bool = False
    """Nobody is looked at."""
    condition: Condition

    def is_of(self, site: str) -> bool:
        """Whether it is about this site's visitors and users."""
        return not self.off and self.site in ("", site)

    def is_live(self, keep_ms: int) -> bool:
        """Whether live profiles, which hold K actions of `keep_ms`, can say who belongs; else the nightly job alone does."""
        counts = (leaf for leaf in leaves(self.condition) if isinstance(leaf, Count))
        return all(count.is_live and count.tally.within_ms <= keep_ms for count in counts)

    @property
    def asks_the_night(self) -> bool:
        """Whether a condition looks at what gold says."""
        return any(not isinstance(leaf, Count) for leaf in leaves(self.condition))


class BySite:
    """Audiences that are on, by the site whose visitors and users they are about."""

    def __init__(self, audiences: Iterable[Audience]) -> None:
        self.whole = [audience for audience in audiences if not audience.off]
        self._own = {audience.site for audience in self.whole}
        self._of: dict[str, list[Audience]] = {}

    def of(self, site: str) -> list[Audience]:
        """Those about this site."""
        known = site if site in self._own else ""  # events may name any number of sites
        if known not in self._of:
            self._of[known] = [audience for audience in self.whole if audience.is_of(known)]
        return self._of[known]


def load(folder: Path) -> tuple[Audience, ...]:
    """The audiences of `folder`, by name; none where it is not there."""
    return tuple(map(read, FORM.paths(folder)))


def read(path: Path) -> Audience:
    """One file; its name is the audience's."""
    try:
        if not _is_name(path.stem):
            raise ValueError("a name has lower case letters, digits, - and _, at most 64, and begins with a letter")
        table = toml(path)
        said = {key: table.pop(key) for key in _File.__struct_fields__ if key in table}
        file = msgspec.convert(said, _File)
        condition = _condition(table, "the file", 0)
        if (count := len(leaves(condition))) > MOST_CONDITIONS:
            raise ValueError(f"it has {count} conditions; {MOST_CONDITIONS} may be there")
    except (OSError, ValueError, UsageError) as error:  # of TOML and of msgspec are ValueErrors
        raise FORM.wrong(path, error) from error
    return Audience(name=path.stem, meaning=file.meaning, site=file.site, off=file.off, condition=condition)


def _is_name(text: str) -> bool:
    plain = text.replace("-", "").replace("_", "")
    return text.isascii() and text[:1].isalpha() and plain.isalnum() and text == text.lower() and len(text) <= 64


def _condition(table: Any, where: str, depth: int) -> Condition:
    if depth > MOST_DEPTH:
        raise ValueError(f"{where} lies deeper than {MOST_DEPTH} conditions within each other")
    names = [name for name in _FORMS if name in table] if isinstance(table, dict) else []
    if len(names) != 1:
        there = f"has {' and '.join(names)}" if names else "has none"
        raise ValueError(f"a condition has exactly one of {', '.join(_FORMS)}; {where} {there}")
    name = names[0]
    if name not in ("all", "any", "not"):
        return _leaf(name, table, where)
    if len(table) > 1:
        more = ", ".join(sorted(table.keys() - {name}))
        raise ValueError(f"{where} has {more} beside {name}; a condition with {name} has nothing else")
    if name == "not":
        return conditions.Not(_condition(table[name], "not" if depth == 0 else f"{where}.not", depth + 1))
    if not isinstance(table[name], list) or not table[name]:
        raise ValueError(f"{name} of {where} is a list of conditions, one at least")
    within = name if depth == 0 else f"{where}.{name}"
    parts = tuple(_condition(part, f"{within}[{place}]", depth + 1) for place, part in enumerate(table[name], 1))
    return conditions.Every(parts) if name == "all" else conditions.Some(parts)


def _leaf(name: str, table: dict[str, Any], where: str) -> Condition:
    try:
        said = _said(table)
        if name == "event":
            return _count(msgspec.convert(table, _Count), said)
        if name == "prediction":
            return _prediction(msgspec.convert(table, _Prediction), said)
        return _fact(msgspec.convert(table, _Fact), said)
    except (ValueError, UsageError) as error:
        keys = ", ".join(_FORMS[name])
        raise ValueError(f"{where}: {str(error).rstrip('.')} (keys of a condition with {name}: {keys})") from None


def _count(leaf: _Count, said: str) -> Count:
    kinds = _texts(leaf.event)
    for kind in kinds:
        _require(kind, KINDS, "event")
    if leaf.query is not None and set(kinds) != {"search"}:
        raise ValueError('query is of searches: event = "search"')
    least, most = _bounds(leaf, 1.0)
    items, categories = _texts(leaf.item), _texts(leaf.category)
    field: Field = "item" if items else "category" if categories else ""
    keys: tuple[Key, ...] = tuple((kind, word) for kind in kinds for word in items or categories or ("",))
    within_ms = round(duration(leaf.within).total_seconds() * 1000)
    counted = tally(field, keys, frozenset(categories if items else ()), (leaf.query or "").lower(), within_ms, leaf.of)
    return Count(said, counted, least, most)


def _prediction(leaf: _Prediction, said: str) -> Prediction:
    _require(leaf.prediction, NIGHTLY, "prediction")
    least, most = _bounds(leaf)
    low, high = (1, 10) if leaf.of == "decile" else (0, 1)
    if any(end is not None and not low <= end <= high for end in (least, most)):
        raise ValueError(f"a {leaf.of} lies between {low} and {high}")
    return Prediction(said, leaf.prediction, leaf.of, least, most)


def _fact(leaf: _Fact, said: str) -> Condition:
    words: tuple[GoldWordName, ...] = get_args(GoldWordName)
    numbers: tuple[Number, ...] = get_args(Number)
    _require(leaf.fact, (*numbers, *words), "fact")
    if leaf.currency and leaf.fact != "revenue":
        raise ValueError("currency is of revenue alone")
    for number in numbers:
        if leaf.fact == number:
            if leaf.one_of:
                raise ValueError(f"one_of is of words; {number} is a number: least, most")
            return GoldNumber(said, number, leaf.currency.upper(), *_bounds(leaf))
    if not leaf.one_of or (leaf.least, leaf.most) != (None, None):
        raise ValueError(f"{leaf.fact} is a word: it wants one_of, and neither least nor most")
    return GoldWord(said, frozenset(_texts(leaf.one_of)))


def _bounds(leaf: _Leaf, least: float | None = None) -> tuple[float | None, float | None]:
    """Both ends; `least` where none is there."""
    if leaf.least is None and leaf.most is None:
        if least is None:
            raise ValueError("it wants least, most, or both")
        return least, None
    if leaf.least is not None and leaf.most is not None and leaf.least > leaf.most:
        raise ValueError(f"least = {leaf.least:g} is above most = {leaf.most:g}: nobody can belong")
    return leaf.least, leaf.most


def _require(word: str, allowed: Sequence[str], key: str) -> None:
    if word not in allowed:
        raise ValueError(f"{key} = {word!r} is not known; allowed are {', '.join(allowed)}")


def _texts(one_or_more: Texts) -> tuple[str, ...]:
    return (one_or_more,) if isinstance(one_or_more, str) else tuple(dict.fromkeys(one_or_more))


def _said(table: dict[str, Any]) -> str:
    """A condition on one line, as TOML has it."""
    return ", ".join(f"{key} = {msgspec.json.encode(value).decode()}" for key, value in table.items())


def _fields(leaf: type[msgspec.Struct]) -> Iterator[str]:
    return iter(sorted(leaf.__struct_fields__))


_FORMS: Final[dict[str, tuple[str, ...]]] = {
    "all": (),
    "any": (),
    "not": (),
    "event": tuple(_fields(_Count)),
    "prediction": tuple(_fields(_Prediction)),
    "fact": tuple(_fields(_Fact)),
}
"""What makes a condition the one that it is, and the keys that it may have."""
