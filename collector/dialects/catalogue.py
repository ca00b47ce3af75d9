"""The item catalogue: `POST /v1/items` with one JSON object, an array, or NDJSON, and the secret key.

A record names `item_id` and what is known of it: name, category, price, currency, available; whatever else it
holds are attributes. An `available` that is no word for it
(nextclick/contracts/availability.py) is an unread field. `updated_at` says from when it counts (default: its arrival); the
latest wins, attribute by attribute.
"""

from typing import Any, Final

from collector.dialects import plain
from collector.dialects.shared.events import event, reject
from collector.dialects.shared.json_text import utf8
from collector.dialects.shared.readers import Json, Unread, item_id
from collector.dialects.shared.values import first, mapping, millis, properties
from collector.request.errors import Unmappable
from collector.request.model import HttpAnswer, Parsed, Request, RequestLimits
from nextclick.contracts.events import Event

ROUTES: Final = {"/v1/items": ("POST",)}
SECRET: Final = True

_TEXTS: Final = ("site", "name", "category", "currency")
_OWN: Final = (*_TEXTS, "item_id", "product_id", "price", "updated_at", "attributes")
refuse = plain.refuse


def parse(request: Request, limits: RequestLimits) -> Parsed:
    """Each object of the body is a record; the answer counts the accepted and names what was rejected."""
    records, _ = plain.records(utf8(request), limits)
    parsed = Parsed(answer=HttpAnswer())
    for index, values in enumerate(records):
        try:
            parsed.events.append(_record(request, plain.readable(values), index))
        except Unmappable as error:
            parsed.rejects.append(reject(request, error, plain.alone(values)))
    parsed.answer = plain.answer(parsed)
    return parsed


def _record(request: Request, values: Json, index: int) -> Event:
    item = item_id(first(values, "item_id", "product_id"), request.limits)
    if item is None or isinstance(item, Unread):
        raise Unmappable("missing_item", "item_id has no value, or one that is no id")
    fields: dict[str, Any] = {name: values.get(name) for name in _TEXTS}
    return event(
        request,
        "item_update",
        client_time=millis(values.get("updated_at"), "updated_at"),
        index=index,
        item_id=item,
        price=values.get("price"),
        properties=properties(values, mapping(values.get("attributes"), "attributes"), without=_OWN),
        **fields,
    )
