"""Figures of pages, of what is clicked, loaded and played on them, of searches and of any event."""

from nextclick.definitions.metric import Metric, MetricUnit, of_the_row, ratio, total
from nextclick.definitions.visits import VIEWS

PAGE_VISITORS = of_the_row("page_visitors", "Distinct visitors who viewed the page that day.", ("date", "site", "page"))
ENTRIES = total("entries", "Visits that began on the page.")
EXITS = total("exits", "Visits that ended on it.")
EXIT_RATE = ratio("exit_rate", "exits / views.", EXITS, VIEWS)
ENTRY_BOUNCES = total("entry_bounces", "Visits that began on it and were bounces.")
ENTRY_BOUNCE_RATE = ratio("entry_bounce_rate", "entry_bounces / entries.", ENTRY_BOUNCES, ENTRIES)
PAGE_SECONDS = total(
    "engaged_seconds", "Engagement that was reported on it, absent where none was.", MetricUnit.SECONDS
)
SECONDS_PER_VIEW = ratio("seconds_per_view", "engaged_seconds / views.", PAGE_SECONDS, VIEWS, MetricUnit.SECONDS)
SCROLL_SUM = total("scroll_sum", "Sum of the deepest scroll of each visitor and day that scrolled.", MetricUnit.PERCENT)
SCROLL_N = total("scroll_n", "Visitors and days with a scroll.")
MEAN_SCROLL = ratio("mean_scroll", "scroll_sum / scroll_n.", SCROLL_SUM, SCROLL_N, MetricUnit.PERCENT)

EVENTS = total("events", "Events of the kind.")
EVENT_VISITORS = of_the_row(
    "event_visitors", "Distinct visitors who did it that day, on that platform.", ("date", "site", "event", "platform")
)
WITH_ERROR = total("with_error", "Events whose property `error` is there, and neither empty nor false.")
ERROR_SHARE = ratio("error_share", "with_error / events.", WITH_ERROR, EVENTS)
VALUE_SUM = total("value_sum", "Sum of the numeric property `value`.")
VALUE_N = total("value_n", "Events that have one.")
VALUE_MEAN = ratio("value_mean", "value_sum / value_n.", VALUE_SUM, VALUE_N, MetricUnit.EACH)

WHO = Metric("visitors", "Distinct visitors who did it.", "count(DISTINCT visitor)")
ELEMENT_CLICKS = total("clicks", "Events click on the element.")
LOADS = total(
    "loads", "Times that the file was asked for: downloads that a page reports, and what logs answered below 400."
)
BYTES = total("bytes", "Bytes that were sent, where the log says so.")

PLAYS = total("plays", "Events play.")
VIEWINGS = total("viewings", "A visitor, a medium and a day with any event of media: each once.")
REACHED = tuple(
    total(f"reached_{share}", f"Viewings that came to {share} % of the medium, by the property `percent`.")
    for share in (25, 50, 75, 100)
)
COMPLETION = ratio("completion", "reached_100 / viewings.", REACHED[-1], VIEWINGS)
WATCHED_SECONDS = total("watched_seconds", "Time watched or heard, as events report it (dwell_ms).", MetricUnit.SECONDS)

SEARCHED = total("searches", "Events search of visits.")
WITHOUT_CLICK = total(
    "without_click", "Searches after which the visit neither clicked, viewed, carted nor bought an item."
)
WITHOUT_CLICK_SHARE = ratio("without_click_share", "without_click / searches.", WITHOUT_CLICK, SEARCHED)
REFINED = total("refined", "Searches after which the visit searched next for something else.")
REFINED_SHARE = ratio("refined_share", "refined / searches.", REFINED, SEARCHED)
