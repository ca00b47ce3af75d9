"""What the reports count: each word once, with its edges."""

from typing import Final

from nextclick.definitions.metric import Definition

DAY: Final = Definition(
    "day",
    "A local date in `analytics.timezone`, or the site's own of `analytics.timezones`. The two days a year on which clocks change have "
    "23 or 25 hours. Today is unfinished: reports leave it out unless it is wanted by `--to`, and then say so.",
)
VISITOR: Final = Definition("visitor", "A device or browser, by `visitor_id`, within one site. Bots are none.")
PERSON: Final = Definition(
    "person",
    "A known user, else a visitor, as `silver.identities` links them when the report is read: a later link rewrites no table.",
)
VISIT: Final = Definition(
    "visit",
    "A session of `silver.sessions`: events of one visitor without a gap longer than the site's. It belongs to the day of its start.",
)
ACT: Final = Definition("act", "An event that is not passive: engagement, scroll, pause and refund are.")
BOUNCE: Final = Definition("bounce", "A visit with at most one act.")
ENGAGED: Final = Definition(
    "engaged visit", "A visit with at least `analytics.engaged_seconds` of engagement, or two views, or a conversion."
)
VIEW: Final = Definition("view", "An event page_view, view_item or screen_view.")
CONVERSION: Final = Definition(
    "conversion",
    "A goal that a visit reached: `purchase`, counted by `order_id` once, or once a visit where purchases name none; "
    "or a goal of `analytics.goals`.",
)
CHANNEL: Final = Definition("channel", "How a visit came, by its first event: docs/enrichment.md.")
TOUCH: Final = Definition(
    "touch",
    "A visit of the converting visitor in the `analytics.lookback_days` before the conversion, the converting visit included. "
    "A link of the site itself (`internal`) is none, unless all are.",
)
RULE: Final = Definition(
    "rule",
    "How a conversion is shared among its touches, to the last unit: docs/attribution.md. Over rules nothing adds up.",
)
FUNNEL: Final = Definition(
    "funnel",
    "Steps that a visitor, person or visit did in order (events of one time count as in order), all within a time of the first, itself "
    "included. Each counts once, at the deepest step that any of its chains reaches; one event is one step: docs/funnels.md.",
)
PATH: Final = Definition(
    "path",
    "Pages or kinds of event of a visit in order, equal neighbours as one, after or before its first event of an anchor. "
    "Each step adds up to all visits that come to the anchor: docs/funnels.md.",
)
ACTIVE: Final = Definition("active", "A visitor with any event of the day, by gold.visitor_days.")
FIRST: Final = Definition(
    "new",
    "Of a visit: the visitor's first ever; of a day or week: the one of the first ever activity. Over all that the lake holds, not "
    "the range.",
)
COHORT: Final = Definition("cohort", "The visitors whose first ever active day, or week from Monday, is the same.")
LIVED: Final = Definition(
    "lived",
    "A cohort has lived a day or week when the last of its visitors has: until then the figure is null, never 0.",
)
LAST_DAY: Final = Definition(
    "last full day",
    "Yesterday, or the newest day that there is, where that is earlier: where a range has one number, such as MAU, it is that day's.",
)
CURRENCY: Final = Definition(
    "currency", "Money of two currencies is never put together: one row a currency, or no figure."
)

WORDS: Final = (
    DAY, VISITOR, PERSON, VISIT, ACT, BOUNCE, ENGAGED, VIEW, CONVERSION, CHANNEL, TOUCH, RULE,
    FUNNEL, PATH, ACTIVE, FIRST, COHORT, LIVED, LAST_DAY, CURRENCY,
)  # fmt: skip
