"""Matomo: `/matomo.php` and `/piwik.php`, as matomo.js and its SDKs ask for them; also in bulk.

A request is the parameters of one action, in the address or in a form; bulk is `{"requests": ["?…"]}`.
Reference: https://developer.matomo.org/api-reference/tracking-api.
"""

from typing import Any, Final
from urllib.parse import urlencode

import msgspec

from collector.dialects.shared.ecommerce import to_drafts
from collector.dialects.shared.events import reject
from collector.dialects.shared.fan_out import FanOutBudget, to_events
from collector.dialects.shared.json_text import charset, charset_of, utf8
from collector.dialects.shared.payload import PIXEL, anonymous_visitor, fields, take
from collector.dialects.shared.readers import Json, identifier, text
from collector.dialects.shared.user_agent import of_visitor
from collector.dialects.shared.values import address, decode, form, inner_json, millis, objects
from collector.request.errors import Unmappable
from collector.request.model import HttpAnswer, Parsed, Refused, Request, RequestLimits, problem
from nextclick.contracts.events import Consent, Event

ROUTES: Final = dict.fromkeys(("/matomo.php", "/piwik.php"), ("GET", "POST"))

_FIELDS: Final = {
    "visitor_id": ("cid", "_id"),
    "user_id": ("uid",),
    "page_url": ("url",),
    "referrer": ("urlref",),
    "utm_campaign": ("_rcn",),
    "utm_term": ("_rck",),
    "country": ("country",),
    "user_agent": ("ua",),
}
_PRODUCT: Final = {"_pks": "item_id", "_pkn": "item_name", "_pkc": "item_category", "_pkp": "price"}
_ORDERED: Final = ("item_id", "item_name", "item_category", "price", "quantity")
_NOT_KEPT: Final = ("token_auth", "rec", "apiv", "rand", "r", "send_image")
_SAYING: Final = {"url", "action_name", "e_a", "search", "c_n", "link", "download", "ping", "idgoal", "ec_id", "ca"}
"""Parameters that say that something happened."""
_NO_GOAL: Final = "0"


def parse(request: Request, limits: RequestLimits) -> Parsed:
    """One action, or each of a bulk request; the answer is a pixel, or what became of the bulk."""
    if utf8(request).lstrip().startswith(b"{"):
        return _bulk(request, limits)
    params = _parameters(request)
    parsed = Parsed(answer=HttpAnswer(), key=params.get("idsite"))
    if params:
        _add(parsed, request, params, 0, FanOutBudget(limits), urlencode(_kept(params)))
    status = 400 if parsed.rejects else 204 if params.get("send_image") == "0" else 200
    parsed.answer = HttpAnswer(status=status, body=b"" if status == 204 else PIXEL, content_type="image/gif")
    return parsed


def refuse(request: Request, refused: Refused) -> HttpAnswer:
    return problem(refused.status, refused.reason, str(refused))


def _bulk(request: Request, limits: RequestLimits) -> Parsed:
    body = decode(utf8(request), limits)
    records = objects(body.get("requests") if isinstance(body, dict) else None, limits)
    parsed, budget = Parsed(answer=HttpAnswer()), FanOutBudget(limits)
    invalid: list[int] = []
    for index, record in enumerate(records):
        params = (
            form(record.lstrip("?")) if isinstance(record, str) else dict(record) if isinstance(record, dict) else {}
        )
        parsed.key = parsed.key or text(params.get("idsite"))
        _add(parsed, request, params, index, budget, {"requests": [_kept(params) or record]})
        if len(parsed.rejects) > len(invalid):
            invalid.append(index)
    body = {
        "status": "success",
        "tracked": len(records) - len(invalid),
        "invalid": len(invalid),
        "invalid_indices": invalid,
    }
    parsed.answer = HttpAnswer(body=msgspec.json.encode(body))
    return parsed


def _parameters(request: Request) -> dict[str, str]:
    """Of the address and the form; `cs` names the encoding of the page, in which its texts were escaped."""
    parts = request.query, request.body.decode("utf-8", "replace").strip().lstrip("?")
    params = {name: value for part in parts for name, value in form(part, charset_of(request)).items()}
    if (encoding := charset(params.get("cs", ""))) != "utf-8":
        return {name: value for part in parts for name, value in form(part, encoding).items()}
    return params


def _kept(params: Json) -> Json:
    return {name: value for name, value in params.items() if name not in _NOT_KEPT}


def _add(parsed: Parsed, request: Request, params: Json, index: int, budget: FanOutBudget, alone: Any) -> None:
    """Add the events of an action, or its reject, in which no token_auth is kept."""
    try:
        parsed.events += _events(request, _kept(params), index, budget)
    except Unmappable as error:
        parsed.rejects.append(reject(msgspec.structs.replace(request, query=""), error, alone))


def _events(request: Request, params: Json, index: int, budget: FanOutBudget) -> list[Event]:
    if not any(params.get(name) for name in _SAYING):
        raise Unmappable("missing_event", "no parameter says what happened")
    client_time, ip = millis(params.pop("cdt", None), "cdt"), address(params.pop("cip", None))
    site = text(params.pop("idsite", None))
    agreed = {"0": Consent(analytics=False), "1": Consent(analytics=True)}.get(text(params.get("consent")) or "")
    own = fields(params, _FIELDS) | {"consent": agreed, "client_time": client_time, "index": index, "ip": ip}
    if identifier(own["visitor_id"]) is None and identifier(own["user_id"]) is None:
        own["visitor_id"] = anonymous_visitor(request, site)
    by = of_visitor(request)
    events: list[Event] = []
    for part, (kind, read, values) in enumerate(_actions(params)):
        drafts = to_drafts(kind, values, budget, own, read)
        parts = (draft._replace(part=draft.part or part or draft.part) for draft in drafts)
        events += to_events(by, parts, own | read, {"idsite": site})
    return events


_Action = tuple[Any, Json, Json]
"""A kind, the fields read for it, and the other parameters."""


def _actions(params: Json) -> list[_Action]:
    """What one request says happened: of several readings the first, as Matomo reads it."""
    goal = text(params.get("idgoal"))
    if text(params.get("ping")) == "1":
        return [("engagement", {}, params)]
    if params.get("ec_id") or goal == _NO_GOAL:
        return [_order(params)]
    if goal:
        return [("goal", {}, params)]
    if params.get("search"):
        return [("search", {}, {"query": params.pop("search")} | params)]
    if params.get("e_a"):
        return [(params.pop("e_a"), {"name": take(params, "e_n")}, params)]
    if params.get("c_n"):
        return [_content(params)]
    if params.get("link") or params.get("download"):
        return [("click" if params.get("link") else "download", {}, params)]
    return _page(params)


def _page(params: Json) -> list[_Action]:
    """A page view, and the view of the product that it shows (`_pks`, `_pkn`, `_pkc`, `_pkp`)."""
    product = {name: params.pop(key) for key, name in _PRODUCT.items() if key in params}
    if not params.get("action_name") and not product and text(params.get("ca")) == "1":
        return [("action", {}, params)]
    page: _Action = ("page_view", {"name": take(params, "action_name")}, params)
    return [page, ("view_item", {}, product)] if product.get("item_id") else [(*page[:2], product | params)]


def _content(params: Json) -> _Action:
    """A block of content that was seen, or clicked (`c_i`)."""
    kind = "click" if params.get("c_i") else "impression"
    name = text(params.pop("c_n"))
    return kind, {"surface": "content", "list_id": name, "name": name}, params


def _order(params: Json) -> _Action:
    """An order, or with no id a cart as it is now: `ec_items` is `[[sku, name, category, price, quantity], …]`."""
    if not params.get("ec_id"):
        return "cart_update", {}, params
    items = _items(params.get("ec_items"))
    params = params if items is None else {name: value for name, value in params.items() if name != "ec_items"}
    return "purchase", {}, {"order_id": params.pop("ec_id")} | params | ({"items": items} if items else {})


def _items(written: Any) -> list[Json] | None:
    """The items of an order; None where they cannot be read, and the order has its total alone."""
    items = inner_json(written) if isinstance(written, str) and written else written or []
    if isinstance(items, dict):
        items = list(items.values())
    if not isinstance(items, list):
        return None
    return [_item(item if isinstance(item, list) else [item]) for item in items if item not in (None, "", [])]


def _item(item: list[Any]) -> Json:
    named = dict(zip(_ORDERED, item, strict=False))
    category = named.get("item_category")
    if isinstance(category, list):  # up to five, the first the item's own
        named |= {"item_category": category[0] if category else None, "categories": category}
    return named
