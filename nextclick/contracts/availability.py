"""Whether an item can be had, in the words of catalogues: JSON's, Google Merchant's, schema.org's, Shopify's, a count of pieces.

A word that is none of these says nothing, and is never taken for "no": it counts as unread, and what was known before stays.
"""

import re
from typing import Final

AVAILABLE: Final = (
    "true", "yes", "y", "t", "on", "instock", "available", "availablenow", "availablefororder", "limitedavailability", "limitedstock",
    "limited", "lowstock", "onlineonly", "instoreonly", "preorder", "presale", "backorder", "backordered", "onbackorder", "madetoorder",
)  # fmt: skip
"""Can be ordered now, be it delivered later. Words without blanks and signs, in lower case; so the next two."""
UNAVAILABLE: Final = (
    "false", "no", "n", "f", "off", "outofstock", "outstock", "oos", "nostock", "notinstock", "soldout", "unavailable", "notavailable",
    "temporarilyunavailable", "temporarilyoutofstock", "currentlyunavailable", "discontinued", "reserved", "inactive",
    "comingsoon",
)  # fmt: skip
UNSAID: Final = ("", "null", "none", "na", "nan", "nil", "unknown", "undefined", "notset")
"""Nobody said."""

_SCHEMA: Final = r"^(https?:)?(//)?(www\.)?(schema\.org/|schema:|og:)"
_SIGNS: Final = r"[\s_.,:;/()\[\]'-]+"
_PIECES: Final = r"^(-?[0-9]{1,9}(\.[0-9]{1,9})?|[0-9]{1,9}\+)$"
_NO_PIECES: Final = r"^(0+(\.0+)?|-.*)$"
"""Fewer than none are what shops have that sold more than they had."""


def available(text: str) -> bool | None:
    """What a word says; None where it says nothing, or nothing known (`is_unread`).

    >>> available("In stock"), available("https://schema.org/OutOfStock"), available("12"), available("ask us")
    (True, False, True, None)
    """
    word = text.strip().lower()
    if re.search(_PIECES, word):
        return not re.search(_NO_PIECES, word)
    word = _plain(word)
    return True if word in AVAILABLE else False if word in UNAVAILABLE else None


def is_unread(text: str) -> bool:
    """Whether a text is a word that nobody knows."""
    return available(text) is None and _plain(text.strip().lower()) not in UNSAID


def _plain(word: str) -> str:
    return re.sub(_SIGNS, "", re.sub(_SCHEMA, "", word))


def available_sql(text: str) -> str:
    """`available` as SQL, where `text` is SQL."""
    word = f"lower(trim({text}))"
    return (
        f"CASE WHEN {word} RLIKE r'{_PIECES}' THEN NOT {word} RLIKE r'{_NO_PIECES}' "
        f"WHEN {_plain_sql(text)} IN ({_listed(AVAILABLE)}) THEN true WHEN {_plain_sql(text)} IN ({_listed(UNAVAILABLE)}) THEN false END"
    )


def is_unread_sql(text: str) -> str:
    """`is_unread` as SQL; false for null."""
    return f"coalesce(({available_sql(text)}) IS NULL AND {_plain_sql(text)} NOT IN ({_listed(UNSAID)}), false)"


def _plain_sql(text: str) -> str:
    signs = _SIGNS.replace("'", r"\x27")  # Spark's raw strings know no escape of their own quote
    return f"regexp_replace(regexp_replace(lower(trim({text})), r'{_SCHEMA}', ''), r'{signs}', '')"


def _listed(words: tuple[str, ...]) -> str:
    return ", ".join(f"'{word}'" for word in words)
