"""What the SDKs of several trackers do alike: how they pack a payload and name its fields."""

from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Mapping
from typing import Any, Final

from collector.dialects.shared.json_text import charset_of, utf8
from collector.dialects.shared.readers import Json, timezone
from collector.dialects.shared.values import base64_text, decode, form, query
from collector.request.cookieless import visitor_id
from collector.request.decompress import unpack
from collector.request.model import Refused, Request, RequestLimits

PIXEL: Final = b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
"""A transparent GIF of one pixel."""

_JSON_STARTS: Final = (b"{", b"[", b'"')
"""The last of JSON that was written as a text once more."""
_LONGEST_KEY: Final = 200


def payload(request: Request, limits: RequestLimits) -> tuple[Any, dict[str, str]]:
    """The JSON of a request, and its other parameters, those of the address and of its form.

    It is the body; else the `data` of a form or of the address; either may be base64, and that gzip.
    """
    params = query(request)
    body = utf8(request).strip()
    if body.startswith(_JSON_STARTS):
        return decode(body, limits), params
    if body:
        sent = form(body.decode("utf-8", "replace"), charset_of(request))
        if "data" not in sent:
            return _packed(body, limits), params
        params |= sent
    if "data" not in params:
        raise Refused(400, "no_data", "There is neither a JSON body nor a parameter `data`.")
    return _packed(params.pop("data").encode("utf-8", "surrogatepass").strip(), limits), params


def first_record(request: Request) -> Json:
    """The object that a request holds, or the first of its list; {} where there is none. For telling dialects apart."""
    try:
        held = payload(request, RequestLimits(batch_events=1, json_depth=200))[0]
    except Refused:
        return {}
    held = held[0] if isinstance(held, list) and held else held
    return held if isinstance(held, dict) else {}


def _packed(text: bytes, limits: RequestLimits) -> Any:
    if not text.startswith(_JSON_STARTS):
        try:
            text = unpack(base64_text(text.decode("ascii")), "", limits)
        except (ValueError, NotBase64):
            raise Refused(400, "malformed_data", "`data` is neither JSON nor base64.") from None
    return decode(text, limits)


def anonymous_visitor(request: Request, site: str | None) -> str | None:
    """The visitor of a request that brings no id of theirs: see collector/request/cookieless.py."""
    return visitor_id(request.anonymous_id, site or "") if request.anonymous_id else None


def short(value: Any) -> str | None:
    """A key as it may be repeated in each reject of a request; None where it is no text, or too long to be a key."""
    return value if isinstance(value, str) and 0 < len(value) <= _LONGEST_KEY else None


def fields(values: Json, names: Mapping[str, tuple[str, ...]]) -> Json:
    """Fields of an event, each taken out of `values` by the first of its names there."""
    return {field: take(values, *aliases) for field, aliases in names.items()}


def take_timezone(values: Json, *names: str) -> str | None:
    """Take the first of `names` that is a time zone out of `values`; anything else stays there."""
    return next((timezone(values.pop(name)) for name in names if timezone(values.get(name))), None)


def take(values: Json, *names: str) -> Any:
    """Take the first of `names` that has a value out of `values`."""
    for name in names:
        if values.get(name) not in (None, ""):
            return values.pop(name)
    return None
