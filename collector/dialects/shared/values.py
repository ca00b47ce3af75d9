"""The values of tracker payloads → fields of an event; shared by the dialects."""

import re
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Iterable, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec

from collector.request.errors import Unmappable
from collector.request.model import Refused, Request, RequestLimits
from collector.request.times import parser
from nextclick.address import masked, truncated
from nextclick.contracts.events import Consent, Event, Reject, derived_id, encode, payload_id, somebody

Json = dict[str, Any]

_time: Final = parser("auto")
_LARGEST_TIME: Final = 1 << 53  # what every reader of JSON holds exactly
_MOST_PARAMETERS: Final = 1000
_MONEY: Final = re.compile(r"[+-]?\d{1,14}(\.\d+)?")


def decode(body: bytes, limits: RequestLimits) -> Any:
    """The body as JSON; Refused 400 where it is none or nested too deeply."""
    try:
        value = msgspec.json.decode(body)
    except RecursionError:
        raise Refused(400, "too_deep", _too_deep(limits)) from None
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError) as error:
        raise Refused(400, "malformed_json", f"The body is not JSON: {error}.") from None
    if depth(value, limits.json_depth) > limits.json_depth:
        raise Refused(400, "too_deep", _too_deep(limits))
    return value


def depth(value: Any, stop: int) -> int:
    """Levels of nesting: a number has 0, an empty list 1; counting ends above `stop`."""
    if not isinstance(value, (dict, list)):
        return 0
    inside = value.values() if isinstance(value, dict) else value
    deepest = 0
    for child in inside:
        if isinstance(child, (dict, list)):
            deepest = max(deepest, depth(child, stop - 1))
            if deepest >= stop:
                break
    return deepest + 1


def _too_deep(limits: RequestLimits) -> str:
    return f"The JSON is nested more than {limits.json_depth} levels deep (collector.json_depth)."


def objects(values: Any, limits: RequestLimits) -> list[Any]:
    """`values` if it is a list that is not too long, else Refused."""
    if not isinstance(values, list):
        raise Refused(400, "malformed_batch", "The events are not a list.")
    if len(values) > limits.batch_events:
        raise Refused(
            413,
            "batch_too_large",
            f"{len(values):,} events are more than collector.batch_events = {limits.batch_events:,}.",
        )
    return values


def mapping(value: Any, name: str) -> Json:
    """`value` as an object; {} where it is absent. Unmappable if it is something else."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Unmappable("bad_type", f"{name} is not an object")
    return value


def query(request: Request) -> dict[str, str]:
    """The address's parameters, decoded; of equal names the last."""
    return form(request.query)


def form(text: str) -> dict[str, str]:
    """The parameters of an address or of a form, decoded; of equal names the last. Refused 400 if they are too many."""
    try:
        return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_PARAMETERS))
    except ValueError:
        raise Refused(400, "malformed_form", f"There are more than {_MOST_PARAMETERS:,} parameters.") from None


def base64_text(text: str) -> bytes:
    """Base64 of either alphabet, with or without padding; ValueError if it is none."""
    plain = text.strip().replace("-", "+").replace("_", "/").replace(" ", "+").rstrip("=")
    try:
        return b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except NotBase64 as error:
        raise ValueError(str(error)) from None


def text(value: Any) -> str | None:
    """A scalar as text, a list or object as its JSON; None for null and ""."""
    if value is None or value == "":
        return None
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return encode(value).decode() if isinstance(value, (dict, list)) else str(value)


def first(values: Mapping[str, Any], *names: str) -> Any:
    """The value of the first of `names` that has one."""
    for name in names:
        if (value := values.get(name)) not in (None, ""):
            return value
    return None


def money(value: Any, name: str = "price") -> str | None:
    """An amount as decimal text. Unmappable if it is none."""
    written = text(value)
    if written is None:
        return None
    written = written.strip()
    if isinstance(value, float) and "e" in written:
        written = f"{value:.6f}"
    if not _MONEY.fullmatch(written):
        raise Unmappable("bad_type", f"{name} is {written[:60]!r}, which is no amount of money")
    return written


def whole(value: Any, name: str) -> int | None:
    """A whole number of at most 63 bits; Unmappable if it is none."""
    if value in (None, ""):
        return None
    try:
        number = int(value) if not isinstance(value, str) else int(float(value) if "." in value else value)
        if abs(number) < 1 << 63:
            return number
    except (TypeError, ValueError, OverflowError):
        pass
    raise Unmappable("bad_type", f"{name} is {str(value)[:60]!r}, which is no whole number")


_ALLOWED: Final[Mapping[str, bool]] = {
    **dict.fromkeys(("true", "granted", "yes", "1"), True),
    **dict.fromkeys(("false", "denied", "no", "0"), False),
}


def consent(value: Any) -> Consent | None:
    """What an object of purposes allows, in the words of JSON or of Google's consent mode; None where it says nothing.

    >>> consent({"analytics": True, "advertising": "denied"})
    Consent(analytics=True, personalization=None, advertising=False)
    """
    said = value if isinstance(value, dict) else {}
    allowed = {name: _ALLOWED.get(str(said.get(name)).lower()) for name in Consent.__struct_fields__}
    return Consent(**allowed) if any(each is not None for each in allowed.values()) else None


def millis(value: Any, name: str) -> int | None:
    """ISO 8601, or seconds, milliseconds or microseconds by their size → milliseconds; Unmappable if it is no time."""
    if value in (None, ""):
        return None
    try:
        time = _time(value)
    except (TypeError, ValueError, OverflowError):
        time = _LARGEST_TIME
    if isinstance(value, bool) or abs(time) >= _LARGEST_TIME:
        raise Unmappable("bad_time", f"{name} is {str(value)[:60]!r}, which is no time")
    return time


def properties(*parts: Mapping[str, Any], without: Iterable[str] = ()) -> dict[str, str] | None:
    """Everything that no field took, as text; of equal names the first part's wins."""
    left_out = frozenset(without)
    kept: dict[str, str] = {}
    for part in parts:
        for name, value in part.items():
            if name not in left_out and name not in kept and (written := text(value)) is not None:
                kept[name] = written
    return kept or None


def without(values: Json, names: Iterable[str]) -> Json:
    """`values` but for those of `names`."""
    return {name: value for name, value in values.items() if name not in names}


def corrected(client_time: int | None, sent_at: int | None, received_at: int) -> int | None:
    """The time by the door's clock: as long before arrival as the client says it was before sending.

    None (as client_time) where the client did not say when it sent, or says that it sent before it happened.
    """
    if client_time is None or sent_at is None or sent_at < client_time:
        return None
    return received_at - (sent_at - client_time)


def address(value: Any) -> str | None:
    """An address as a payload gives it, truncated; None if it is none."""
    try:
        return truncated(str(value)) if value else None
    except ValueError:
        return None


def event(
    request: Request,
    kind: Any,
    *,
    own_id: Any = None,
    client_time: int | None = None,
    index: int | str = 0,
    part: int | None = None,
    **fields: Any,
) -> Event:
    """An event of canonical `fields`, those that are None left out.

    Its id is `own_id`, with `#part` where a record fans out; else it is made of the event where the
    client stamped a time; else of the request's token and `index`, the event's place in the request.
    Raises Unmappable where the kind, or visitor and user, are missing.
    """
    known = {name: value for name, value in fields.items() if value is not None}
    if not (kind := text(kind)):
        raise Unmappable("missing_event", "there is no kind of event")
    visitor, user = somebody(known.pop("visitor_id", None), known.pop("user_id", None))
    if visitor is None and user is None and kind != "item_update":
        raise Unmappable("missing_visitor", "neither a visitor's nor a user's id is there")
    known |= {name: who for name, who in (("visitor_id", visitor), ("user_id", user)) if who is not None}
    known.setdefault("user_agent", request.user_agent)
    known.setdefault("ip", request.ip)
    suffix = "" if part is None else f"#{part}"
    identity = text(own_id) or ("" if client_time is not None else derived_id(request.token, index))
    result = Event(
        event=kind,
        event_id=identity + suffix if identity else "",
        client_time=request.received_at if client_time is None else client_time,
        **known,
    )
    if identity:
        return result
    return msgspec.structs.replace(result, event_id=payload_id(result) + suffix)


def reject(request: Request, problem: Unmappable, payload: Any) -> Reject:
    """A reject of one record; `payload` is a body that holds that record alone, so that a replay can send it again."""
    return Reject(
        reason=problem.reason,
        message=f"{problem}.",
        payload=masked(payload if isinstance(payload, str) else encode(payload).decode()),
        request=envelope(request),
    )


def envelope(request: Request) -> dict[str, str]:
    """What a replay needs beside the body."""
    kept = {name: request.headers[name] for name in ("user-agent", "content-type") if name in request.headers}
    values = {
        "method": request.method,
        "path": request.path,
        "query": masked(request.query),
        "ip": request.ip,
        "anonymous_id": request.anonymous_id,
    }
    return kept | {name: value for name, value in values.items() if value}
