"""The event as it crosses the wire: one thing that a visitor did.

The collector and the import make an `Event`, encode it, and append it to the landing
log; silver types and checks it. So this is the one list of the fields that exist
between the door and silver. `received_at` and `source` are not in the payload: the
door stamps them into the line's frame (nextclick/landing/reader.py).
"""

import hashlib
import re
from collections.abc import Set
from typing import Final

import msgspec

KINDS: Final = (
    "page_view", "view_item", "search", "add_to_cart", "remove_from_cart", "purchase", "click", "scroll",
    "engagement", "play", "pause", "impression", "served", "identify", "alias", "item_update", "refund",
    "audience_entered", "audience_left", "trigger_decision",
)  # fmt: skip
"""The kinds that stations know. Any other word is a custom event: kept and counted, with no meaning of its own."""

AUDIENCE_CHANGES: Final = ("audience_entered", "audience_left")
"""Somebody belongs to an audience from then on, or no more; property `audience` names it. Only records whose source is SERVER count."""

TRIGGER_DECISION: Final = "trigger_decision"
"""Whether somebody is sent something, and what became of it: triggers/decision_log.py has its properties. As above."""

SERVER: Final = "server"
"""The source of what nextclick itself says: what was served, who belongs where, who was sent what."""

OUTSIDE_SESSIONS: Final = (
    "served", *AUDIENCE_CHANGES, "impression", "identify", "alias", "item_update", "request", TRIGGER_DECISION,
    "email_delivered", "email_open", "email_click", "email_bounce",
)  # fmt: skip
"""What the system, a catalogue, an access log or an e-mail service says, not what the visitor did at the site: neither opens nor
extends a session."""

PASSIVE: Final = ("engagement", "scroll", "pause", "refund")
"""Attention, or what the shop did, rather than an act: extends a session, but does not end a bounce."""

WITH_PIECES: Final = ("add_to_cart", "remove_from_cart", "purchase", "refund")
"""Kinds that are none where they name 0 pieces."""

IDS: Final = ("site", "event_id", "event", "visitor_id", "user_id", "session_hint", "item_id", "order_id", "request_id")
"""Fields that name something, held to events.max_id_chars; other texts to events.max_text_chars."""

BLANKS: Final = " \t\n\r\f\v"
IN_NO_ID: Final = r"\x00-\x1f\x7f-\x9f\ufffd"
"""Characters that no id has: as the inside of a class of a regular expression."""
MOST_ID_CHARS: Final = 256
"""What events.max_id_chars may be at most: longer names nobody could ask for."""
_IN_NO_ID: Final = re.compile(f"[{IN_NO_ID}]")
NO_ITEM: Final = frozenset({
    "undefined", "null", "(null)", "<null>", "nan", "none", "nil", "<nil>", "n/a", "#n/a", "(not set)", "(none)", "[object object]", "\\n",
})  # fmt: skip
"""Words that programs write as an item's id where they know none, in lower case. A product may be number 0, and have any other name."""
UNFILLED: Final = "{$#<%[*_@"
"""What a placeholder begins with that a template left as it was."""
_NAME: Final = r"[A-Za-z]+(?:[._ -][A-Za-z]+)*"
_UNFILLED: Final = re.compile(
    r"\{\{.*\}\}|[$#]\{.*\}|<%.*%>|\{%.*%\}|%%.+%%|\[\[.*\]\]|\*\|.*\|\*"
    rf"|\{{[!$]?{_NAME}\}}|<{_NAME}>|%{_NAME}%|\[[A-Za-z]+(?:[._ -][A-Za-z]+)+\]|@@{_NAME}@@"
    r"|\{\d{1,2}\}|%(?:\([A-Za-z_]+\))?[sdi]|\$[A-Za-z]+(?:[._][A-Za-z]+)+\$?|__[A-Z]+(?:_[A-Z]+)*__",
    re.DOTALL,
)

MILLIS: Final = (-62_135_596_800_000, 253_402_300_799_999)
"""Years 1 to 9999: outside, a timestamp overflows instead of being merely impossible."""

ALIASES: Final = {"view_product": "view_item", "product_id": "item_id"}
"""Words of the plain event that mean a canonical one."""


class Consent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What the visitor allowed; None where nobody said."""

    analytics: bool | None = None
    personalization: bool | None = None
    advertising: bool | None = None


def may_personalize(consent: Consent | None, unless_said: bool) -> bool:
    """Whether a visitor's events may be learned from; `unless_said` decides where the visitor said nothing of it."""
    said = consent.personalization if consent else None
    return unless_said if said is None else said


def may_personalize_sql(unless_said: bool) -> str:
    """`may_personalize` of a row with a column `consent`, for Spark and DuckDB."""
    return f"coalesce(consent.personalization, {str(unless_said).lower()})"


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One event; times are integer milliseconds since 1970-01-01 UTC, money is a decimal as text."""

    event: str
    event_id: str
    client_time: int
    """As the client stamped it, once; a resend carries it again."""
    site: str | None = None
    occurred_at: int | None = None
    """Corrected for the client's clock; None: as client_time."""
    sent_at: int | None = None
    visitor_id: str | None = None
    user_id: str | None = None
    session_hint: str | None = None
    item_id: str | None = None
    name: str | None = None
    category: str | None = None
    price: str | None = None
    currency: str | None = None
    quantity: int | None = None
    order_id: str | None = None
    query: str | None = None
    page_url: str | None = None
    referrer: str | None = None
    utm_source: str | None = None
    utm_medium: str | None = None
    utm_campaign: str | None = None
    utm_term: str | None = None
    utm_content: str | None = None
    user_agent: str | None = None
    ip: str | None = None
    country: str | None = None
    device: str | None = None
    dwell_ms: int | None = None
    scroll_pct: float | None = None
    position: int | None = None
    surface: str | None = None
    list_id: str | None = None
    request_id: str | None = None
    model_version: str | None = None
    propensity: float | None = None
    experiment: str | None = None
    variant: str | None = None
    timezone: str | None = None
    """The device's, as IANA names it (`Europe/Vienna`)."""
    consent: Consent | None = None
    unread_fields: list[str] | None = None
    """Fields that came with a value which could not be read; the value is in `properties`. `properties`: not all of them fitted.
    The door says so, never a sender."""
    properties: dict[str, str] | None = None
    """Everything else; `available` and the attributes of an item_update; `previous_id` of an alias."""


def somebody(visitor_id: str | None, user_id: str | None, nobody: Set[str]) -> tuple[str | None, str | None]:
    """The two ids without words for nobody (events.nobody), in any case, with blanks around or without.

    "0" counts as one only of a user whose visitor is known, since others number from 0.

    >>> words = {"undefined", "null", "0"}
    >>> somebody("v", "undefined", words), somebody(" NULL ", None, words), somebody("v", "0", words), somebody("0", None, words)
    (('v', None), (None, None), ('v', None), ('0', None))
    """
    visitor = None if visitor_id is None or (_is_nobody(visitor_id, nobody) and visitor_id != "0") else visitor_id
    user = None if user_id is None or (_is_nobody(user_id, nobody) and (user_id != "0" or visitor)) else user_id
    return visitor, user


def _is_nobody(name: str, nobody: Set[str]) -> bool:
    return name.strip(BLANKS).lower() in nobody


def is_id(text: str) -> bool:
    """Whether a text may be an id: it holds no control character and no mark of a damaged one, and no blanks stand around it.

    >>> is_id("lamp 1"), is_id("lamp\\t1"), is_id(" lamp"), is_id("")
    (True, False, False, False)
    """
    return bool(text) and text == text.strip() and not _IN_NO_ID.search(text)


def is_unfilled(name: str) -> bool:
    """Whether a name is the placeholder of a tag manager, a shop's template or a mailing: all who got it would be one.

    >>> is_unfilled("{{User ID}}"), is_unfilled("*|UNIQID|*"), is_unfilled("{6f9619ff-8b86-d011-b42d-00c04fc964ff}")
    (True, True, False)
    """
    return name[:1] in UNFILLED and _UNFILLED.fullmatch(name) is not None


class Reject(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A typed record of what the door could not accept; a line of the quarantine log."""

    reason: str
    """A reason code: lower case, underscores, stable."""
    message: str
    """What was wrong, where, and the limit it broke."""
    payload: str
    """The payload, whole up to the body cap."""
    replayable: bool = True
    """The payload is whole, so that a replay can mend it."""
    request: dict[str, str] | None = None
    """Of a reject that came over HTTP: what a replay needs beside the body (method, path, query, headers)."""


encode = msgspec.json.Encoder().encode
_sorted_encode = msgspec.json.Encoder(order="deterministic").encode


def derived_id(*parts: object) -> str:
    """An event id from what identifies the event: 128 bits of BLAKE2b as hex; the parts' order matters.

    >>> derived_id("shop", "v1", 1) == derived_id("shop", "v1", 1)
    True
    >>> derived_id("ab", "c") == derived_id("a", "bc")
    False
    """
    text = "\x1f".join(map(str, parts))
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def payload_id(event: Event) -> str:
    """The id of an event that has none: of its site, visitor, client time and payload.

    A resend gets the same id: what may differ in it (`sent_at`, the corrected `occurred_at`, the network) is left out.
    """
    lasting = msgspec.structs.replace(event, event_id="", sent_at=None, occurred_at=None, ip=None)
    return derived_id(_sorted_encode(lasting).decode())
