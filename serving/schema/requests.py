"""What may be asked: one struct a route, from the query (GET) or the JSON body (POST). Limits are part of the types."""

import math
from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, Final, TypeVar, get_origin
from urllib.parse import parse_qsl, unquote_plus

import msgspec
import msgspec.inspect
from msgspec import Meta

from nextclick.contracts.events import IN_NO_ID, MOST_ID_CHARS
from nextclick.web.answers import Refused
from nextclick.web.bodies import packings

_PATTERN: Final = rf"^[^{IN_NO_ID}]+$"
Id = Annotated[str, Meta(min_length=1, max_length=MOST_ID_CHARS, pattern=_PATTERN)]
"""What an event's id may be, too (nextclick.contracts.events.is_id)."""
Category = Annotated[str, Meta(min_length=1, max_length=4096)]
Count = Annotated[int, Meta(ge=1, le=1000)]
Money = Annotated[float, Meta(ge=0, le=1e15)]
Boost = Annotated[str, Meta(max_length=512, pattern=r"^(item|category):.+=[0-9]{1,3}(\.[0-9]{1,6})?$")]
Asked = TypeVar("Asked", bound=msgspec.Struct)
_MAX_FIELDS: Final = 2_000
_PLAIN_CHARS: Final = 1_000
"""A query of so many characters has fewer fields than that."""


class _Request(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    key: Annotated[str, Meta(max_length=256)] | None = None
    """Read key of the site (serving.read_keys); better in the header X-Read-Key, since addresses are logged on the way."""
    explain: bool = False
    """Show the terms of every score."""


class _Who(_Request, frozen=True, kw_only=True, forbid_unknown_fields=True):
    visitor_id: Id | None = None
    """The device or browser, as events carry it."""
    user_id: Id | None = None
    """The known user, if there is one; with read keys it counts with the secret key or a signature alone."""
    user_signature: Annotated[str, Meta(max_length=128)] | None = None
    """Hex HMAC-SHA256 of site, line feed and user_id (serving.signing_secret); the header X-User-Signature does as well."""


class FilteredRequest(_Who, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Rules on top of those in conf/ ([ranking.rules])."""

    categories: Annotated[tuple[Category, ...], Meta(max_length=100)] = ()
    """Only items of these categories."""
    price_min: Money | None = None
    """Only items with a known price of at least this."""
    price_max: Money | None = None
    """Only items with a known price of at most this."""
    currency: Annotated[str, Meta(pattern=r"^[A-Za-z]{3}$")] | None = None
    """Of `price_min` and `price_max` (ISO 4217), which then leave out prices in others; default: that of most prices."""
    available: bool | None = None
    """True: leave out what the catalogue says is not available; default: as ranking.rules.only_available."""
    hide_seen: bool | None = None
    """Leave out what the visitor viewed lately; default: as ranking.rules.hide_seen."""
    hide_bought: bool | None = None
    """Leave out what the visitor bought lately; default: as ranking.rules.hide_bought."""
    allow: Annotated[tuple[Id, ...], Meta(max_length=1000)] = ()
    """Only these items."""
    deny: Annotated[tuple[Id, ...], Meta(max_length=1000)] = ()
    """Never these items."""
    boost: Annotated[tuple[Boost, ...], Meta(max_length=100)] = ()
    """`item:ID=FACTOR` or `category:NAME=FACTOR`: the score is multiplied by it."""
    per_category: Annotated[int, Meta(ge=0, le=1000)] | None = None
    """Items of one category at most (0: no limit); default: as ranking.rules.per_category."""


class _List(FilteredRequest, frozen=True, kw_only=True, forbid_unknown_fields=True):
    n: Count = 10
    """Items of the list; at most serving.max_items."""
    surface: Annotated[str, Meta(max_length=64)] | None = None
    """Where it will be shown, such as `home`; kept with the record of the answer."""


class RecommendRequest(_List, frozen=True, kw_only=True):
    """GET /v1/recommendations"""


class PersonalizeRequest(_List, frozen=True, kw_only=True):
    """GET /v1/personalize"""

    feed: Count = 20
    """Items of `ranked_feed`; at most serving.max_items."""


class PopularRequest(_List, frozen=True, kw_only=True):
    """GET /v1/popular"""


class SimilarRequest(_List, frozen=True, kw_only=True):
    """GET /v1/similar/{item_id}"""

    item_id: Id
    """The item whose like is asked for."""


class CallerItem(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An item of a feed of the caller's own; what it says of the item wins over the catalogue."""

    item_id: Id
    category: Category | None = None
    price: Money | None = None
    available: bool | None = None


class RankRequest(FilteredRequest, frozen=True, kw_only=True):
    """POST /v1/rank"""

    items: Annotated[tuple[Id | CallerItem, ...], Meta(min_length=1, max_length=1000)]
    """What is to be ranked, as ids or with facts."""
    n: Count | None = None
    """Items of the answer; default: all that may be shown."""
    surface: Annotated[str, Meta(max_length=64)] | None = None
    """Where it will be shown, such as `feed`."""


class NextActionRequest(_Who, frozen=True, kw_only=True):
    """GET /v1/next-action"""


class NextBestActionRequest(FilteredRequest, frozen=True, kw_only=True):
    """GET /v1/next-best-action; the rules are those of a recommendation."""

    surface: Annotated[str, Meta(max_length=64)] | None = None
    """Where it will be shown, such as `cart`."""
    n: Count = 10
    """Items of a recommendation; at most serving.max_items."""
    brief: bool = False
    """Only what to do: no figures, and no other actions; always so with a read key alone, which stands in pages."""


class SuggestRequest(_Who, frozen=True, kw_only=True):
    """GET /v1/suggest"""

    q: Annotated[str, Meta(min_length=1, max_length=200)]
    """What was typed so far."""
    n: Annotated[int, Meta(ge=1, le=50)] = 10


class ProfileRequest(_Request, frozen=True, kw_only=True):
    """GET /v1/profile/{visitor_id}"""

    visitor_id: Id
    user_id: Id | None = None
    """The known user, whose actions on other devices count as well."""


def key_of_query(query: bytes) -> str | None:
    """The read key of a query, before the rest of it is read."""
    if b"key" not in query:
        return None
    pairs = (pair.partition(b"=") for pair in query.split(b"&"))
    return next((unquote_plus(value.decode("latin-1")) for name, _, value in pairs if name == b"key"), None)


def of_query(kind: type[Asked], query: bytes, more: Mapping[str, str]) -> Asked:
    """The question that a query asks. Refused 400, with the field named."""
    try:
        pairs = _pairs(query)
    except ValueError as error:  # UnicodeDecodeError is one
        raise Refused(400, "bad_query", f"The query cannot be read: {error}.") from None
    many = _several(kind)
    fields: dict[str, Any] = dict(more)
    for name, value in pairs:
        if name in many:
            fields.setdefault(name, []).append(value)
        elif name in fields:
            raise Refused(400, "bad_field", f"{name} is there twice.")
        else:
            fields[name] = value
    return checked(kind, fields, strict=False)


def of_body(kind: type[Asked], body: bytes, encoding: str = "") -> Asked:
    """The question that a JSON body asks. Refused 400, with the field named; 415 where its Content-Encoding says that it is packed."""
    if packings(encoding):
        raise Refused(415, "unknown_encoding", f"Content-Encoding is {encoding[:60]!r}. Send the body as it is.")
    try:
        data = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refused(400, "bad_json", f"The body is not JSON: {error}.") from None
    return checked(kind, data, strict=True)


def checked(kind: type[Asked], data: Any, strict: bool) -> Asked:
    """`data` as a question. Refused 400 where a field is unknown, of another type, out of range or not a number."""
    try:
        request = msgspec.convert(data, kind, strict=strict)
    except (msgspec.ValidationError, RecursionError) as error:
        raise Refused(400, "bad_field", f"{error}.") from None
    for name in _floats(kind):
        value = getattr(request, name)
        if value is not None and not math.isfinite(value):
            raise Refused(400, "bad_field", f"{name} is not a finite number.")
    return request


def _pairs(query: bytes) -> list[tuple[str, str]]:
    """Names and values in their order. ValueError for what is not ASCII, for escapes that are not UTF-8, and for too many."""
    text = query.decode("ascii")
    if "%" in text or "+" in text or len(text) > _PLAIN_CHARS:
        return parse_qsl(text, keep_blank_values=True, max_num_fields=_MAX_FIELDS, errors="strict")
    return [(name, value) for name, _, value in (pair.partition("=") for pair in text.split("&") if pair)]


@cache
def _floats(kind: type[msgspec.Struct]) -> tuple[str, ...]:
    """The fields that hold numbers which may have no end."""
    fields = msgspec.inspect.type_info(kind)
    assert isinstance(fields, msgspec.inspect.StructType)
    return tuple(field.name for field in fields.fields if _is_float(field.type))


def _is_float(kind: msgspec.inspect.Type) -> bool:
    many = kind.types if isinstance(kind, msgspec.inspect.UnionType) else (kind,)
    return any(isinstance(each, msgspec.inspect.FloatType) for each in many)


@cache
def _several(kind: type[msgspec.Struct]) -> frozenset[str]:
    """The fields that a query may have several times."""
    return frozenset(field.encode_name for field in msgspec.structs.fields(kind) if _is_many(field.type))


def _is_many(kind: Any) -> bool:
    return get_origin(getattr(kind, "__origin__", kind)) is tuple or get_origin(kind) is tuple
