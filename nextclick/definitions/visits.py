"""Figures of visits."""

from nextclick.definitions.metric import Metric, MetricUnit, ratio, total

VISITS = total("visits", "Visits that started in the range.")
VISITORS = Metric(
    "visitors",
    "Distinct visitors with a visit. One who comes on two days, or by two channels, is counted once in the whole.",
    "count(DISTINCT visitor)",
)
BOUNCES = total("bounces", "Visits with at most one act.")
BOUNCE_RATE = ratio("bounce_rate", "bounces / visits.", BOUNCES, VISITS)
ENGAGED_VISITS = total("engaged_visits", "Visits that were engaged long enough, had two views, or a conversion.")
ENGAGEMENT_RATE = ratio("engagement_rate", "engaged_visits / visits.", ENGAGED_VISITS, VISITS)
VIEWS = total("views", "Events page_view, view_item and screen_view.")
VIEWS_PER_VISIT = ratio("views_per_visit", "views / visits.", VIEWS, VISITS, MetricUnit.EACH)
SECONDS = total(
    "seconds", "Time from the first to the last event of the visits; 0 for a visit of one event.", MetricUnit.SECONDS
)
SECONDS_PER_VISIT = ratio(
    "seconds_per_visit", "seconds / visits, over all visits. Not engagement.", SECONDS, VISITS, MetricUnit.SECONDS
)
ENGAGED_SECONDS = total(
    "engaged_seconds",
    "Engagement as the page reports it (dwell_ms), absent where none does. Not the visit's duration.",
    MetricUnit.SECONDS,
)
SEARCHES = total("searches", "Events search.")
CARTS = total("carts", "Events add_to_cart.")
ORDERS = total("orders", "Orders, each once however often it was sent; 1 a visit where purchases name none.")
BUYING_VISITS = total("buying_visits", "Visits with an order.")
CONVERSION_RATE = ratio("conversion_rate", "buying_visits / visits.", BUYING_VISITS, VISITS)
REVENUE = total("revenue", "Purchases less refunds.", MetricUnit.MONEY, apart=("currency",))
REVENUE_PER_ORDER = ratio("revenue_per_order", "revenue / orders.", REVENUE, ORDERS, MetricUnit.MONEY)
