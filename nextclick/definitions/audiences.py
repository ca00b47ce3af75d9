"""Figures of audiences: who enters and leaves, and what those who belong did."""

from nextclick.definitions.metric import ratio, total

_APART = ("audience", "subject_kind")
"""Somebody may belong to several; a visitor and the user that it is are two members."""

ENTERED = total("entered", "Times that somebody entered, by the day on which it was noticed.", apart=_APART)
LEFT = total("left_it", "Times that somebody left, likewise.", apart=_APART)
VISITS = total("member_visits", "Visits of those who belong now, before they did, too.", apart=_APART)
ORDERS = total("member_orders", "Orders of these visits.", apart=_APART)
BUYING_VISITS = total("member_buying_visits", "Visits of them with an order.", apart=_APART)
CONVERSION_RATE = ratio("member_conversion_rate", "member_buying_visits / member_visits.", BUYING_VISITS, VISITS)
