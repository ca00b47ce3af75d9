"""E-commerce events as most trackers name them → canonical kinds, one an item.

Two vocabularies are common, whatever the tracker: that of Segment's e-commerce specification ("Product
Viewed", `products`, `product_id`) and that of GA4 ("view_item", `items`, `item_id`). Both are read here.
"""

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from collector.dialects.fields import Json, money, text, whole
from collector.exchange import Limits
from collector.unmappable import Unmappable
from nextclick.events import encode

_PROMOTION: Final = "promotion"
_LIST: Final = "list"

_KINDS: Final[Mapping[str, tuple[str, str | None]]] = {
    **dict.fromkeys(("view_item", "view_product", "product_viewed", "viewed_product"), ("view_item", None)),
    **dict.fromkeys(("add_to_cart", "added_to_cart", "product_added", "added_product"), ("add_to_cart", None)),
    **dict.fromkeys(
        ("remove_from_cart", "removed_from_cart", "product_removed", "removed_product"), ("remove_from_cart", None)
    ),
    **dict.fromkeys(("purchase", "order_completed", "completed_order"), ("purchase", None)),
    **dict.fromkeys(("view_item_list", "product_list_viewed", "viewed_product_list"), ("impression", _LIST)),
    **dict.fromkeys(("select_item", "product_clicked", "clicked_product"), ("click", _LIST)),
    **dict.fromkeys(("view_promotion", "promotion_viewed", "viewed_promotion"), ("impression", _PROMOTION)),
    **dict.fromkeys(("select_promotion", "promotion_clicked", "clicked_promotion"), ("click", _PROMOTION)),
    **dict.fromkeys(("search", "products_searched", "view_search_results"), ("search", None)),
}
_LISTS: Final = ("items", "products")

_QUERY: Final = ("search_term", "query", "search_query", "search_string", "q")
_ITEM_ID: Final = ("item_id", "product_id", "productId", "sku")
_ITEM: Final[Mapping[str, tuple[str, ...]]] = {
    "item_id": (*_ITEM_ID, "id"),
    "name": ("item_name", "product_name", "name"),
    "category": ("item_category", "product_category", "category"),
    "price": ("price",),
    "quantity": ("quantity",),
}
_EVENT: Final[Mapping[str, tuple[str, ...]]] = {
    "currency": ("currency",),
    "order_id": ("transaction_id", "order_id", "orderId"),
    "list_id": ("item_list_id", "list_id"),
    "surface": ("item_list_name", "list_name", "list"),
}
_PROMOTED: Final[Mapping[str, tuple[str, ...]]] = {
    "list_id": ("promotion_id",),
    "name": ("promotion_name", "name"),
    "currency": ("currency",),
}
_PARTS_AN_EVENT: Final = 4
"""How many times collector.batch_events the events of one request may become by fanning out."""


class Deed(NamedTuple):
    """What a visitor did to one item: fields of the event, and what no field took."""

    kind: Any
    part: int | None
    fields: Json
    rest: tuple[Json, ...]


class Room:
    """How much one request may still fan out: what each part repeats could else fill the memory."""

    def __init__(self, limits: Limits) -> None:
        self._parts = _PARTS_AN_EVENT * limits.batch_events
        self._bytes = _PARTS_AN_EVENT * limits.unpacked_bytes

    def take(self, parts: int, record: Any) -> None:
        """Unmappable where `record`, repeated in each of its parts, is too much."""
        self._parts -= parts
        self._bytes -= parts * len(encode(record)) if parts > 1 else 0
        if self._parts < 0 or self._bytes < 0:
            raise Unmappable("too_many_items", f"the request's items are too many: here are {parts:,} of them")


def deeds(name: Any, values: Json, room: Room) -> list[Deed]:
    """What an event of this name and these properties means: one deed, or one an item of `items` or `products`.

    A custom event keeps its name, and of its properties only the item's id becomes a field.
    """
    kind, surface = _KINDS.get(word(name), (None, None))
    if kind is None:
        rest = dict(values)
        return [Deed(name, None, {"item_id": text(_take(rest, _ITEM_ID))}, (rest,))]
    if kind == "search":
        rest = dict(values)
        return [Deed(kind, None, {"query": text(_take(rest, _QUERY))}, (rest,))]
    listed = next((each for each in _LISTS if isinstance(values.get(each), list) and values[each]), None)
    if listed is None:
        return [_deed(kind, surface, None, dict(values), {})]
    room.take(len(values[listed]), values)
    shared = {key: value for key, value in values.items() if key != listed}
    return [_deed(kind, surface, i, _product(product), dict(shared)) for i, product in enumerate(values[listed])]


def word(name: Any) -> str:
    """A name in small letters, with _ for anything else.

    >>> word("Product List Viewed")
    'product_list_viewed'
    """
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_") if isinstance(name, str) else ""


def _product(product: Any) -> Json:
    return dict(product) if isinstance(product, dict) else {"item_id": product}


def _deed(kind: str, surface: str | None, part: int | None, product: Json, shared: Json) -> Deed:
    fields: Json = {}
    if surface == _PROMOTION:
        fields = {field: text(_take(product, names) or _take(shared, names)) for field, names in _PROMOTED.items()}
    for field, names in _ITEM.items():
        if fields.get(field) is None:
            fields[field] = _typed(field, _take(product, names))
    for field, names in _EVENT.items():
        if fields.get(field) is None:
            fields[field] = text(_take(product, names) or _take(shared, names))
    if part is not None:
        fields["item_id"] = fields["item_id"] or fields["name"]
    fields["position"] = _position(product, shared)
    if surface:
        fields["list_id"] = fields["list_id"] or fields["surface"]
        fields["surface"] = surface if surface == _PROMOTION else fields["surface"] or surface
        fields["position"] = fields["position"] or (None if part is None or kind == "click" else part + 1)
    return Deed(kind, part, fields, (product, shared))


def _typed(field: str, value: Any) -> str | int | None:
    return money(value) if field == "price" else whole(value, field) if field == "quantity" else text(value)


def _position(product: Json, shared: Json) -> int | None:
    """The place in a list, from 1: `position` counts from 1, `index` from 0 (GA4)."""
    position = product.pop("position", None)
    index = whole(product.pop("index", None) if "index" in product else shared.pop("index", None), "index")
    return whole(position, "position") if position is not None else None if index is None else index + 1


def _take(values: Json, names: tuple[str, ...]) -> Any:
    """Take the first of `names` that has a value out of `values`."""
    for name in names:
        if values.get(name) not in (None, ""):
            return values.pop(name)
    return None
