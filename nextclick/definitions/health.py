"""Figures of the tables themselves, and of a site beside others."""

from nextclick.definitions.metric import MetricUnit, of_the_row, ratio, total

CHECKS = total("checks", "Expectations, each by its newest result.")
FAILED = total("failed", "Those that do not hold.")
FAILED_SHARE = ratio("failed_share", "failed / checks.", FAILED, CHECKS)

REJECTS = total("rejects", "Records in quarantine.")
REPLAYABLE = total("replayable", "Those whose payload is whole, so that a replay can mend them.")

ANOMALIES = total("anomalies", "Anomalies of traffic, and abuse by rules; withdrawn ones are none.")
OPEN = total("open", "Those that last.")
ALARMS = total("alarms", "Those of severity alarm.")

_TABLE = ("table_name",)
VERSION = of_the_row("version", "The table's newest version; absent: never written.", _TABLE)
ROWS = total("rows", "Rows of the table.")
AGE = of_the_row("age_seconds", "Time since that version was written.", _TABLE, MetricUnit.SECONDS)

_SITE = ("site", "figure")
VALUE = of_the_row("value", "The site's figure over the range.", _SITE, MetricUnit.EACH)
OTHERS = of_the_row("others", "Other sites of the lake with at least 100 visits in the range.", _SITE)
LOW = of_the_row(
    "q1", "Quarter of the others that are below; absent with fewer than 5 of them.", _SITE, MetricUnit.EACH
)
MEDIAN = of_the_row("median", "Half of the others are below; absent with fewer than 5 of them.", _SITE, MetricUnit.EACH)
HIGH = of_the_row(
    "q3", "Three quarters of the others are below; absent with fewer than 5 of them.", _SITE, MetricUnit.EACH
)

MARKET = of_the_row(
    "value",
    "What the panel or service says. Never put together with own clicks.",
    ("date", "domain", "metric", "origin"),
)
