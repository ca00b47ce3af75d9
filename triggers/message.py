"""What a webhook says: JSON whose texts come from the trigger's file, and whose values are data, never code or patterns."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from string import Template
from typing import Any

import msgspec

from triggers.decisions import Contact
from triggers.definition import EntersAudience, TriggerDefinition
from triggers.occasions.occasion import Occasion
from triggers.people import MessageItem

_encode = msgspec.json.Encoder(order="deterministic").encode


def body(
    trigger: TriggerDefinition,
    occasion: Occasion,
    contact: Contact,
    goods: Mapping[str, MessageItem],
    recommended: Sequence[str],
) -> bytes:
    """The body of the webhook as Standard Webhooks has it: `type`, `timestamp`, `data`."""
    about, more = (
        [goods.get(item, MessageItem(item))._asdict() for item in items] for items in (occasion.items, recommended)
    )
    facts: dict[str, Any] = {
        "trigger": trigger.name,
        "site": occasion.site,
        "person_id": occasion.person_id,
        "user_id": contact.user_id,
        "visitor_id": contact.visitor_id,
        "due_at": occasion.due_at.isoformat(),
    }
    if isinstance(trigger.when, EntersAudience):
        facts["audience"] = trigger.when.audience
    prices = dict(zip(("old_price", "new_price", "currency"), occasion.prices or (), strict=False))
    words = _words(facts | prices, about, more)
    texts = {name: Template(text).substitute(words) for name, text in trigger.message.items()}
    data = facts | prices | {"items": about, "recommendations": more, "message": texts}
    return _encode({"type": f"trigger.{trigger.name}", "timestamp": facts["due_at"], "data": data})


def _words(facts: Mapping[str, Any], about: list[dict[str, Any]], more: list[dict[str, Any]]) -> dict[str, str]:
    """Every $WORD; one of which nothing is known is empty."""
    known = {name: str(value) for name, value in facts.items() if value is not None}
    known |= {name: _money(known[name]) for name in ("old_price", "new_price") if name in known}
    first, other = (names[0] if names else "" for names in (_names(about), _names(more)))
    listed = {"items": ", ".join(_names(about)), "recommended": ", ".join(_names(more))}
    absent = dict.fromkeys(("user_id", "visitor_id", "old_price", "new_price", "currency", "audience"), "")
    first_item = about[0]["item_id"] if about else ""
    return absent | known | listed | {"first_item": first_item, "first_name": first, "first_recommended": other}


def _names(goods: list[dict[str, Any]]) -> list[str]:
    return [good["name"] or good["item_id"] for good in goods]


def _money(price: str) -> str:
    """With two places, or as many as it needs.

    >>> _money("80.0000"), _money("0.1250"), _money("7")
    ('80.00', '0.125', '7.00')
    """
    exact, short = Decimal(price), Decimal(price).quantize(Decimal("0.01"))
    return str(short) if short == exact else str(exact.normalize())
