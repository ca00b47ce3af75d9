"""Events with the visits that they are part of: what every table of build_visits is counted from.

A visit is a row of silver.sessions. It stands among the rows itself, as one without an event, so that one order by
visitor and time tells each event its visit, and a table of visits needs no join.
"""

from collections.abc import Iterable
from datetime import date
from typing import Final

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from nextclick.contracts.events import OUTSIDE_SESSIONS
from nextclick.contracts.silver import REVENUE
from nextclick.definitions.pages import PAGE
from nextclick.settings import AnalyticsSettings, Goal
from spark_jobs.transforms import Transformer, orders
from spark_jobs.transforms.local_days import local_date
from spark_jobs.transforms.silver.channel import host
from spark_jobs.transforms.silver.enrich_events import UTM

OWNER: Final = ("site", "visitor_id")
VIEWS: Final = ("page_view", "view_item", "screen_view")
_OF_VISIT: Final = (
    "started_at", "ended_at", "events", "searches", "carts", "revenue", "engaged_ms", "max_scroll_pct",
    "channel", "device", "country", "is_bounce",
)  # fmt: skip
_OF_EVENT: Final = (
    "event", "event_id", "user_id", "item_id", "dwell_ms", "scroll_pct", "referrer", *UTM,
)  # fmt: skip
_LINES: Final = f"filter(order_lines, line -> {orders.counts('line.at', 'line.id', 'line.first')})"
_AMONG_LINES: Final = "exists(known.lines, line -> line.at = at AND line.id = event_id)"


def visit_events(
    sessions: DataFrame, agents: DataFrame, analytics: AnalyticsSettings, in_one_task: bool = False
) -> Transformer:
    """Rows of silver.events → those of people, and a row for each visit of `sessions` (rows of silver.sessions).

    A visit is a bot's, with all of its events, when it starts with a bot's agent (by `agents`); an event outside
    visits when its own is one. item_update, which nobody does, is left out.
    `in_one_task`: they are few, and whatever is counted of them moves no row to another task.
    """
    visits = sessions.select(
        *OWNER,
        "user_agent",
        F.col("started_at").alias("at"),
        F.struct(*_OF_VISIT, *(page(name).alias(name) for name in ("entry_page", "exit_page"))).alias("visit"),
        F.struct("session_id", "started_at", "ended_at", "first_event_id", F.expr(_LINES).alias("lines")).alias(
            "known"
        ),
    )
    agent = agents.select("user_agent", "is_bot", "os", "browser", F.col("device").alias("agent_device"))
    before = Window.partitionBy(*OWNER).orderBy("at", F.col("visit").isNull())
    is_visit = F.col("visit").isNotNull()

    def transform(events: DataFrame) -> DataFrame:
        acts = events.where("event <> 'item_update'").select(*_act(analytics))
        rows = visits.unionByName(acts, allowMissingColumns=True).join(agent, "user_agent", "left")
        rows = rows.coalesce(1) if in_one_task else rows
        known = F.when(is_visit, F.col("known").withField("is_bot", F.coalesce("is_bot", F.lit(False))))
        latest = rows.withColumn("known", F.last(known, ignorenulls=True).over(before))
        inside = (F.col("at") <= F.col("known.ended_at")) & (is_visit | ~F.col("event").isin(*OUTSIDE_SESSIONS))
        placed = latest.withColumn("known", F.when(inside, F.col("known")))
        people = placed.where("NOT coalesce(known.is_bot, is_bot, false)")
        return people.select(
            *OWNER,
            "at",
            local_date(analytics, "at").alias("date"),
            local_date(analytics, "known.started_at").alias("visit_date"),
            "known.session_id",
            F.when(is_visit, F.struct("visit.*", "os", "browser", "agent_device")).alias("visit"),
            *("event", "event_id", "user_id", "item_id", "page", "dwell_ms", "scroll_pct", "app_version", "trial"),
            *("with_error", "value", "level", "goals"),
            F.expr("CASE WHEN event IS NOT NULL THEN coalesce(platform, agent_device, 'unknown') END").alias(
                "platform"
            ),
            *_of_its_visit(),
        )

    return transform


def only_days(days: Iterable[date]) -> Transformer:
    """Rows of visit_events that count on one of `days`: `date` stays where the event does, `visit_date` where its visit does."""
    listed = sorted(set(days))
    kept = {name: F.when(F.col(name).isin(listed), F.col(name)) for name in ("date", "visit_date")}
    return lambda rows: rows.withColumns(kept).where("date IS NOT NULL OR visit_date IS NOT NULL")


def _act(analytics: AnalyticsSettings) -> list[Column]:
    """What is counted of an event, as far as it does not hang on its visit."""
    amount, purchase = orders.amount(), orders.of_kind("purchase")
    return [
        *map(F.col, (*OWNER, "user_agent", *_OF_EVENT)),
        F.col("occurred_at").alias("at"),
        page("page_url").alias("page"),
        _property("app_version").alias("app_version"),
        F.when(F.col("experiment").isNotNull(), F.struct("experiment", "variant")).alias("trial"),
        F.coalesce(_property("platform"), F.col("device")).alias("platform"),
        (F.coalesce(F.lower(_property("error")), F.lit("false")) != "false").alias("with_error"),
        _property("value").try_cast("decimal(28,6)").alias("value"),  # its sums are exact, in whatever order
        F.when(F.col("event") == "level_complete", _property("level").try_cast("bigint")).alias("level"),
        _goals(analytics).alias("goals"),
        F.when(amount.isNotNull(), F.create_map(F.coalesce("currency", F.lit("")), amount))
        .cast(REVENUE)
        .alias("revenue"),
        F.when(purchase, F.coalesce("quantity", F.lit(1)).cast("bigint")).alias("pieces"),
        F.when(
            purchase | orders.of_kind("refund"), F.struct(F.when(F.expr(orders.NAMED), F.col("order_id")).alias("id"))
        ).alias("bought"),
    ]


def _property(name: str) -> Column:
    """A property, without blanks around it; null where it is empty."""
    return F.expr(f"nullif(trim(properties['{name}']), '')")


def _goals(analytics: AnalyticsSettings) -> Column:
    """The goals of the settings that the event reaches; null where there are none."""
    reached = [F.when(_reaches(goal), F.lit(name)) for name, goal in sorted(analytics.goals.items())]
    if not reached:
        return F.lit(None).cast("array<string>")
    return F.when(F.coalesce(*reached).isNotNull(), F.array_compact(F.array(*reached)))


def _reaches(goal: Goal) -> Column:
    reached = F.col("event") == goal.event
    for name, value in goal.where.items():
        reached &= F.col("properties").getItem(name).eqNullSafe(value)
    return reached


def _of_its_visit() -> list[Column]:
    """What its visit decides: whether it is the first event, and whether a purchase that names an order counts."""
    first = F.struct(*UTM, F.expr(host("referrer")).alias("referrer_host"))
    is_first = "event_id = known.first_event_id AND at = known.started_at"
    counts = f"(event = 'refund' OR bought.id IS NULL OR {_AMONG_LINES})"
    key = (
        "CASE WHEN bought.id IS NULL THEN concat('purchase@', known.session_id) ELSE concat('purchase:', bought.id) END"
    )
    return [
        F.when(F.expr(is_first), first).alias("first"),
        F.expr(f"CASE WHEN bought IS NOT NULL AND known IS NOT NULL AND {counts} THEN {key} END").alias("conversion"),
        F.expr(f"CASE WHEN {counts} THEN revenue END").alias("revenue"),
        F.expr(f"CASE WHEN {counts} THEN pieces END").alias("pieces"),
    ]


def page(url: str) -> Column:
    """The address without query and fragment; a fragment that is a route of an app stays.

    `/a?b#c` → `/a`, `/a#/b?c` → `/a#/b`
    """
    return F.regexp_extract(url, PAGE, 0)
