"""Figures as texts of a page."""

import re
from datetime import UTC, datetime
from typing import Any, Final

from markupsafe import Markup, escape

from analytics.comparison import change
from analytics.output import figure_text
from nextclick.definitions.metric import Metric, MetricUnit

_WORSE: Final = {
    "bounce_rate",
    "bounces",
    "exit_rate",
    "entry_bounce_rate",
    "dormant",
    "failed",
    "failed_share",
    "refunds",
    "cost",
    "cpc",
}
"""Figures that nobody wants to grow."""
_OF_ANY_KIND: Final = {"value", "served", "shown"}
"""Figures of which more is neither better nor worse."""
_NAMES: Final = {
    "age_seconds": "Age", "table_name": "Table", "last_non_direct": "Last non-direct", "median_seconds": "Median time",
    "seconds_per_view": "Time per view", "without_click_share": "Without click", "refined_share": "Refined", "item_id": "Item",
    "mean_scroll": "Mean scroll, %", "revenue_per_order": "Per order", "os": "System",
}  # fmt: skip
"""Names that people say in other words."""
_SHORT: Final = {"ndcg", "ctr", "dau", "wau", "mau", "cpc", "cpa", "roas", "os", "id", "q1", "q3"}
_LONG: Final = ((172_800, 86_400, "d"), (7_200, 3_600, "h"), (120, 60, "min"))


def shown(metric: Metric, value: Any) -> str:
    """A figure as reports show it, but for times of minutes and more."""
    return (
        duration_text(value) if metric.unit is MetricUnit.SECONDS and value is not None else figure_text(metric, value)
    )


def share_text(share: float | None) -> str:
    """
    >>> share_text(0.125), share_text(None)
    ('12.5%', '–')
    """
    return "–" if share is None else f"{share:.1%}"


def coded(text: str) -> Markup:
    """A sentence in which `commands` stand out.

    >>> coded("<b> `nextclick run`")
    Markup('&lt;b&gt; <code>nextclick run</code>')
    """
    return Markup(re.sub("`([^`]+)`", r"<code>\1</code>", str(escape(text))))


def moment_text(milliseconds: int) -> str:
    """
    >>> moment_text(0)
    '1970-01-01 00:00 UTC'
    """
    return f"{datetime.fromtimestamp(milliseconds / 1000, UTC):%Y-%m-%d %H:%M} UTC"


def label(name: str) -> str:
    """A figure's or column's name for people.

    >>> label("bounce_rate"), label("ad_ctr"), label("age_seconds")
    ('Bounce rate', 'Ad CTR', 'Age')
    """
    spoken, *rest = name.split(" ", 1)  # a tile's has what it is of
    if spoken in _NAMES:
        return " ".join([_NAMES[spoken], *rest])
    first, *others = (word.upper() if word in _SHORT else word for word in name.split("_"))
    return " ".join([first[:1].upper() + first[1:], *others])


def duration_text(seconds: float | None) -> str:
    """Seconds in a unit that a reader takes in.

    >>> [duration_text(seconds) for seconds in (None, 7.25, 600, 9_000, 259_200)]
    ['–', '7.2 s', '10 min', '2.5 h', '3 d']
    """
    if seconds is None:
        return "–"
    size, unit = next(((size, unit) for least, size, unit in _LONG if seconds >= least), (1, "s"))
    return f"{seconds / size:,.1f}".removesuffix(".0") + f" {unit}"


def change_text(metric: Metric, now: Any, before: Any) -> tuple[str, str]:
    """By how much a figure changed, and whether that is `good` or `bad`; empty where nothing can be said."""
    by = change(now, before)
    if by is None:
        return "", ""
    rounded = round(by, 2)
    if not rounded:
        return "0%", ""
    text = f"{by:+.0%}".replace("-", "−") if by < 10 else f"×{1 + by:,.0f}"
    if metric.name in _OF_ANY_KIND:
        return text, ""
    return text, "good" if (rounded > 0) != (metric.name in _WORSE) else "bad"
