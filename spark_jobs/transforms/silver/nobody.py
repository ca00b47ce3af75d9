"""Ids that are words for nobody, as SQL: nextclick.contracts.events.somebody for a column."""

from collections.abc import Set
from typing import Final

from nextclick.contracts.events import BLANKS

_BLANKS: Final = repr(BLANKS).replace("\\x0b", "\\u000b").replace("\\x0c", "\\u000c")


def is_nobody(name: str, words: Set[str]) -> str:
    """True where the text `name` is one of `words` (in lower case), in any case, with blanks around or without."""
    listed = ", ".join("'" + word.replace("\\", "\\\\").replace("'", "\\'") + "'" for word in sorted(words))
    return f"coalesce(lower(trim(BOTH {_BLANKS} FROM {name})) IN ({listed or 'NULL'}), false)"


def visitor(name: str, words: Set[str]) -> str:
    """The visitor's id, or null; a visitor may be number 0."""
    return f"CASE WHEN {is_nobody(name, words)} AND {name} <> '0' THEN NULL ELSE {name} END"


def user(name: str, visitor: str, words: Set[str]) -> str:
    """The user's id, or null; "0" is a user only where no visitor is known."""
    return (
        f"CASE WHEN {is_nobody(name, words)} AND ({name} <> '0' OR ({visitor}) IS NOT NULL) THEN NULL ELSE {name} END"
    )
