"""Figures of items, and of what was recommended."""

from nextclick.definitions.metric import MetricUnit, of_the_row, ratio, total

ITEM_VIEWS = total("item_views", "Events page_view and view_item with the item.")
ITEM_CARTS = total("item_carts", "Events add_to_cart with the item.")
PURCHASES = total("purchases", "Events purchase with the item; an order of a visitor counts once.")
REFUNDS = total("refunds", "Events refund with the item.")
VIEW_TO_CART = ratio("view_to_cart", "item_carts / item_views.", ITEM_CARTS, ITEM_VIEWS)
CART_TO_PURCHASE = ratio("cart_to_purchase", "purchases / item_carts.", PURCHASES, ITEM_CARTS)
VIEW_TO_PURCHASE = ratio("view_to_purchase", "purchases / item_views.", PURCHASES, ITEM_VIEWS)
ITEM_REVENUE = total("revenue", "Price × quantity of purchases less refunds.", MetricUnit.MONEY, apart=("currency",))

SERVED = total("served", "Items that answers held, shown or not.")
SHOWN = total("shown", "Those that were really shown.")
CLICKS = total("clicks", "Those that were clicked.")
CTR = ratio("ctr", "clicks / shown.", CLICKS, SHOWN)
SERVED_CARTS = total("carts", "Those that were put into a cart.")
SERVED_PURCHASES = total("purchases", "Those that were bought.")
SHOWN_SHARE = ratio("shown_share", "shown / served.", SHOWN, SERVED)
SERVED_REVENUE = total("revenue", "What was paid for them.", MetricUnit.MONEY, apart=("currency",))

FORESEEN_CLICKS = total("foreseen", "Clicks that the click model foresaw: the sum of its probabilities.")
FORESEEN_CTR = ratio("foreseen_ctr", "foreseen / shown.", FORESEEN_CLICKS, SHOWN)
CLICKS_PER_FORESEEN = ratio(
    "clicks_per_foreseen", "clicks / foreseen: 1 of a calibrated model.", CLICKS, FORESEEN_CLICKS, MetricUnit.EACH
)

_MODEL = ("date", "site", "model_version", "metric", "segment")
MODEL_VALUE = of_the_row("value", "The metric's value, of that day's training or answers.", _MODEL, MetricUnit.EACH)
MODEL_N = of_the_row("n", "People or answers that it was measured on.", _MODEL)
MODEL_LOW = of_the_row("low", "Lower end of its 95 % interval, where there is one.", _MODEL, MetricUnit.EACH)
MODEL_HIGH = of_the_row("high", "Upper end of it.", _MODEL, MetricUnit.EACH)
