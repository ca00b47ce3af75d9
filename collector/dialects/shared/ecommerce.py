"""E-commerce events as most trackers name them → canonical kinds, one an item.

Two vocabularies are common, whatever the tracker: that of Segment's e-commerce specification ("Product
Viewed", `products`, `product_id`) and that of GA4 ("view_item", `items`, `item_id`). Both are read here.
"""

from collections.abc import Mapping
from typing import Any, Final

from collector.dialects.shared.fan_out import FANS_OUT, EventDraft, FanOutBudget, place, places
from collector.dialects.shared.payload import take
from collector.dialects.shared.readers import Json, identifier, word
from collector.dialects.shared.values import inner_json

_PROMOTION: Final = "promotion"
_LIST: Final = "list"

_KINDS: Final[Mapping[str, tuple[str, str | None]]] = {
    **dict.fromkeys(("view_item", "view_product", "product_viewed", "viewed_product"), ("view_item", None)),
    **dict.fromkeys(("add_to_cart", "added_to_cart", "product_added", "added_product"), ("add_to_cart", None)),
    **dict.fromkeys(
        ("remove_from_cart", "removed_from_cart", "product_removed", "removed_product"), ("remove_from_cart", None)
    ),
    **dict.fromkeys(("purchase", "order_completed", "completed_order"), ("purchase", None)),
    **dict.fromkeys(
        ("refund", "order_refunded", "refunded_order", "product_refunded", "refunded_product"), ("refund", None)
    ),
    **dict.fromkeys(("view_item_list", "product_list_viewed", "viewed_product_list"), ("impression", _LIST)),
    **dict.fromkeys(("select_item", "product_clicked", "clicked_product"), ("click", _LIST)),
    **dict.fromkeys(("view_promotion", "promotion_viewed", "viewed_promotion"), ("impression", _PROMOTION)),
    **dict.fromkeys(("select_promotion", "promotion_clicked", "clicked_promotion"), ("click", _PROMOTION)),
    **dict.fromkeys(("search", "products_searched", "view_search_results"), ("search", None)),
}
_LISTS: Final = ("items", "products", "item", "product")
"""Where an event has its items, or its only one as an object."""

_QUERY: Final = ("search_term", "query", "search_query", "search_string", "q")
_ITEM_ID: Final = ("item_id", "product_id", "productId", "sku")
_ITEM: Final[Mapping[str, tuple[str, ...]]] = {
    "item_id": (*_ITEM_ID, "id"),
    "name": ("item_name", "product_name", "name"),
    "category": ("item_category", "product_category", "category"),
    "price": ("price",),
    "quantity": ("quantity",),
}
_IS_ITEM: Final = frozenset((*_ITEM["item_id"], *_ITEM["name"]))
_ORDERS: Final = ("purchase", "refund")
_TOTAL: Final = ("value", "revenue", "total")
_EVENT: Final[Mapping[str, tuple[str, ...]]] = {
    "currency": ("currency",),
    "order_id": ("transaction_id", "order_id", "orderId"),
    "list_id": ("item_list_id", "list_id", "item_list_name", "list_name"),
}
_PROMOTED: Final[Mapping[str, tuple[str, ...]]] = {
    "list_id": ("promotion_id",),
    "name": ("promotion_name", "name"),
    "currency": ("currency",),
}


def is_order(name: Any) -> bool:
    """Whether an event of this name is a purchase or a refund."""
    return _KINDS.get(word(name), ("",))[0] in _ORDERS


def to_drafts(name: Any, values: Json, budget: FanOutBudget, *around: Json) -> list[EventDraft]:
    """What an event of this name and these properties means: one draft, or one an item of `items` or `products`.

    A custom event keeps its name, and of its properties only the item's id becomes a field. `around` is what
    else each event of the record will repeat.
    """
    kind, surface = _KINDS.get(word(name), (None, None))
    if kind is None or kind == "search":
        rest = dict(values)
        taken = {"query": take(rest, *_QUERY)} if kind else {"item_id": take(rest, *_ITEM_ID)}
        return [EventDraft(kind or name, None, taken, (rest,))]
    listed, items = next(((each, items) for each in _LISTS if (items := _items(values.get(each)))), ("", []))
    if not items:
        return [_draft(kind, surface, 0 if kind in FANS_OUT else None, dict(values))]
    shared = {key: value for key, value in values.items() if key != listed}
    budget.allow((shared, around), len(items))
    products = [dict(item) if isinstance(item, dict) else {"item_id": item} for item in items]
    several = len(products) > 1 or kind in FANS_OUT
    drafts = [_draft(kind, surface, i if several else None, item, dict(shared)) for i, item in enumerate(products)]
    for draft, seen in zip(drafts, places([draft.fields["position"] for draft in drafts]), strict=True):
        if kind == "impression" or draft.fields["position"] is not None:
            draft.fields["position"] = seen
    return drafts


def _items(value: Any) -> list[Any]:
    """The items of a list, which may also be JSON in text, or an object whose names are places, as PHP makes of a list with gaps.

    An object that is an item is the only one; null and what is empty is none.
    """
    if isinstance(value, str) and value.lstrip().startswith(("[", "{")):
        value = inner_json(value)
    if isinstance(value, dict):
        is_item = not value.keys().isdisjoint(_IS_ITEM)
        value = [value] if is_item else list(value.values()) if all(name.isdecimal() for name in value) else []
    return [item for item in value if item not in (None, "", [], {})] if isinstance(value, list) else []


def _draft(kind: str, surface: str | None, part: int | None, item: Json, beside: Json | None = None) -> EventDraft:
    """`item` is one of a list, and `beside` what is said beside the list; or all there is."""
    fields, shared = Json(), beside or {}
    if surface == _PROMOTION:
        fields = _either(item, shared, _PROMOTED)
    fields |= {field: take(item, *names) for field, names in _ITEM.items() if fields.get(field) is None}
    fields |= _either(item, shared, {field: names for field, names in _EVENT.items() if fields.get(field) is None})
    fields |= {"position": _place(item), "surface": surface}
    if beside is not None:
        fields["item_id"] = fields["name"] if identifier(fields["item_id"]) is None else fields["item_id"]
    elif kind in _ORDERS and fields["price"] is None and (total := take(item, *_TOTAL)) is not None:
        fields["price"] = total
        item["quantity"] = fields.pop("quantity")  # the total is of all pieces
    return EventDraft(kind, part, fields, (item, shared))


def _either(item: Json, shared: Json, names: Mapping[str, tuple[str, ...]]) -> Json:
    taken = {field: take(item, *aliases) for field, aliases in names.items()}
    return {field: take(shared, *names[field]) if value is None else value for field, value in taken.items()}


def _place(item: Json) -> int | None:
    """Where in a list the item was, as it says."""
    for name in ("position", "index"):
        if (position := place(item.get(name))) is not None:
            del item[name]
            return position
    return None
