"""Ids that are words for nobody, as SQL: nextclick.contracts.events.somebody for a column."""

from typing import Final

from nextclick.contracts.events import NOBODY

_WORDS: Final = ", ".join(f"r'{word}'" for word in sorted(NOBODY))


def is_nobody(name: str) -> str:
    """True where the text `name` is such a word, in any case, with blanks around or without."""
    return f"(octet_length({name}) <= 40 AND lower(trim({name})) IN ({_WORDS}))"


def visitor(name: str) -> str:
    """The visitor's id, or null; a visitor may be number 0."""
    return f"CASE WHEN {is_nobody(name)} AND {name} <> '0' THEN NULL ELSE {name} END"


def user(name: str, visitor: str) -> str:
    """The user's id, or null; "0" is a user only where no visitor is known."""
    return f"CASE WHEN {is_nobody(name)} AND ({name} <> '0' OR ({visitor}) IS NOT NULL) THEN NULL ELSE {name} END"
