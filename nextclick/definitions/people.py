"""Figures of who comes, how often, and whether they come back."""

from nextclick.definitions.metric import ratio, total

DAU = total("dau", "Distinct visitors active on the day.", apart=("date",))
WAU = total("wau", "Distinct visitors active in the 7 days that end with the day.", apart=("date",))
MAU = total(
    "mau", "Distinct visitors active in the `analytics.active_days` days that end with the day.", apart=("date",)
)
STICKINESS = ratio("stickiness", "dau / mau of the day.", DAU, MAU)

COHORT_SIZE = total("cohort_size", "Visitors of the cohort; null until the cohort has lived it.", apart=("n",))
RETAINED = total(
    "retained",
    "Those of them who were active on exactly that day (or in that week); null until the cohort has lived it.",
    apart=("n",),
)
RETENTION = ratio(
    "retention", "retained / cohort_size; of several cohorts, over those that have lived it.", RETAINED, COHORT_SIZE
)
RETAINED_SINCE = total(
    "retained_since",
    "Those active on it or later: unbounded retention; null until the cohort has lived it.",
    apart=("n",),
)

_WEEK = ("date",)
ACTIVE = total("active", "Visitors active in the week: new + returned + resurrected.", apart=_WEEK)
NEW = total("new", "Of them: in their first ever week.", apart=_WEEK)
RETURNED = total("returned", "Of them: active in the week before, too.", apart=_WEEK)
RESURRECTED = total("resurrected", "Of them: not in the week before, but earlier.", apart=_WEEK)
DORMANT = total(
    "dormant", "Active in the week before and not in this one; null while the week is unfinished.", apart=_WEEK
)

DAYS_ACTIVE_VISITORS = total(
    "visitors",
    "Visitors who were active on so many of the `analytics.active_days` days that end with the last full day of the range.",
)

FORESEEN_PEOPLE = total("people", "People of whom it was foreseen at the last training.", apart=("model",))
EXPECTED = total("expected", "Those of them whom it is expected of: the sum of their probabilities.", apart=("model",))
EXPECTED_SHARE = ratio("expected_share", "expected / people.", EXPECTED, FORESEEN_PEOPLE)
