"""What a schema cannot say, by hand: times in order, every event accounted for, flow."""

from functools import partial
from typing import Final

from expectations.suites.expectation import Expectation, Of, Severity, fact, none_of
from expectations.suites.rulebook import WARN, Rulebook, finite, of, ordered
from nextclick.contracts import (
    bronze,
    gold,
    gold_analytics,
    gold_anomalies,
    silver,
    silver_imported,
    silver_served,
)
from nextclick.settings import Settings

WRITTEN: Final[Rulebook] = {}
_of = partial(of, WRITTEN)


@_of(bronze.EVENTS)
def _bronze_events(table: str, settings: Settings) -> tuple[Expectation, ...]:
    return (
        none_of(table, "missing", "Bronze has every line that its landing segments were published with.", WARN),
        none_of(table, "unexpected", "Bronze has no line beyond those.", WARN),
        none_of(
            table,
            "unknown_fields",
            "New events carry no field that nextclick/contracts/events.py does not know.",
            WARN,
            Of.NEW,
        ),
    )


@_of(silver.EVENTS)
def _silver_events(table: str, settings: Settings) -> tuple[Expectation, ...]:
    quality = settings.quality
    residual = "Every bronze row is in silver.events, in silver.quarantine, or a copy of an event in silver.events."
    hours, ratio = quality.freshness_hours, quality.volume_ratio
    return (
        none_of(table, "residual", residual, Severity(quality.residual_severity)),
        none_of(
            table, "double_counted", "No bronze row is in silver.events and silver.quarantine together more than once."
        ),
        none_of(
            table,
            "unread_fields",
            "Trackers send no value that its field cannot be read from; the events are there without.",
            WARN,
            Of.NEW,
        ),
        fact(table, "fresh", f"The newest event arrived at most {hours} hours ago.", WARN, at_most=hours),
        fact(
            table,
            "volume",
            f"The last whole UTC day brought between 1/{ratio:g} and {ratio:g} times the mean of the 7 days before it "
            "(imports left out).",
            WARN,
            at_least=1 / ratio,
            at_most=ratio,
        ),
    )


@_of(silver.QUARANTINE)
def _silver_quarantine(table: str, settings: Settings) -> tuple[Expectation, ...]:
    return (none_of(table, "new_rejects", "Nothing was rejected since the last check.", WARN, Of.NEW),)


@_of(silver.ITEMS)
def _silver_items(table: str, settings: Settings) -> tuple[Expectation, ...]:
    return (ordered(table, "first_seen", "last_seen"),)


@_of(silver.SESSIONS)
def _silver_sessions(table: str, settings: Settings) -> tuple[Expectation, ...]:
    return (ordered(table, "started_at", "ended_at"),)


@_of(silver_served.SERVED_ITEMS)
def _silver_served_items(table: str, settings: Settings) -> tuple[Expectation, ...]:
    return tuple(ordered(table, "shown_at", at) for at in ("clicked_at", "carted_at", "purchased_at"))


@_of(silver_imported.MARKET)
def _silver_market(table: str, settings: Settings) -> tuple[Expectation, ...]:
    return (finite(table, "value"),)


@_of(gold_anomalies.ANOMALIES)
def _gold_anomalies(table: str, settings: Settings) -> tuple[Expectation, ...]:
    kinds = none_of(table, "unlike_kinds", "Traffic has a z, and no p-value; a rule the other way round.")
    return ordered(table, "step_start", "step_end"), finite(table, "observed"), finite(table, "expected"), kinds


@_of(gold_anomalies.SUSPECTS)
def _gold_suspects(table: str, settings: Settings) -> tuple[Expectation, ...]:
    return (none_of(table, "without_reason", "A suspect has a reason, and nobody else has one."),)


@_of(gold.INTERACTIONS)
def _gold_interactions(table: str, settings: Settings) -> tuple[Expectation, ...]:
    return (finite(table, "strength", positive=True), ordered(table, "first_at", "last_at"))


@_of(gold.TRAFFIC_DAILY)
def _gold_traffic_daily(table: str, settings: Settings) -> tuple[Expectation, ...]:
    return tuple(ordered(table, part, "sessions") for part in ("visitors", "bounces", "conversions"))


@_of(gold.RECOMMENDATION_PERFORMANCE)
def _gold_recommendation_performance(table: str, settings: Settings) -> tuple[Expectation, ...]:
    return (
        ordered(table, "shown", "served"),
        *(ordered(table, part, "shown") for part in ("clicks", "carts", "purchases")),
    )


@_of(gold_analytics.MODEL_DAILY)
def _gold_model_daily(table: str, settings: Settings) -> tuple[Expectation, ...]:
    return (finite(table, "value"),)


@_of(gold_analytics.VISITS)
def _gold_visits(table: str, settings: Settings) -> tuple[Expectation, ...]:
    return (ordered(table, "started_at", "ended_at"), *(ordered(table, part, "events") for part in ("views", "orders")))


@_of(gold_analytics.VISITOR_DAYS)
def _gold_visitor_days(table: str, settings: Settings) -> tuple[Expectation, ...]:
    return (
        ordered(table, "views", "events"),
        none_of(table, "unlike_visits", "On each day of a site the visits are as many as gold.visits has."),
    )


@_of(gold_analytics.PAGE_DAILY)
def _gold_page_daily(table: str, settings: Settings) -> tuple[Expectation, ...]:
    return (
        ordered(table, "visitors", "views"),
        ordered(table, "entry_bounces", "entries"),
        none_of(
            table,
            "unlike_visits",
            "On each day of a site as many visits begin on a page, and end on one, as gold.visits has.",
        ),
    )


@_of(gold_analytics.EVENT_DAILY)
def _gold_event_daily(table: str, settings: Settings) -> tuple[Expectation, ...]:
    return tuple(ordered(table, part, "events") for part in ("visitors", "visits", "with_error", "value_n"))


@_of(gold_analytics.CONVERSIONS)
def _gold_conversions(table: str, settings: Settings) -> tuple[Expectation, ...]:
    return (
        none_of(table, "unknown_visits", "Every conversion happened in a visit of gold.visits.", of=Of.NEW),
        none_of(
            table,
            "broken_paths",
            "Touches are in order, not after the conversion, and as many as path_n says (50 at most).",
            of=Of.NEW,
        ),
    )


@_of(gold_analytics.CAMPAIGN_DAILY)
def _gold_campaign_daily(table: str, settings: Settings) -> tuple[Expectation, ...]:
    return (
        none_of(
            table,
            "unlike_visits_and_costs",
            "On each day of a site, visits are as many as gold.visits has, and costs, impressions and clicks in each currency as "
            "silver.costs has.",
        ),
    )


@_of(gold_analytics.ATTRIBUTION_DAILY)
@_of(gold_analytics.ATTRIBUTION_FITTED)
def _gold_attribution(table: str, settings: Settings) -> tuple[Expectation, ...]:
    return (
        none_of(
            table,
            "unlike_conversions",
            "By each rule the credits of a day, site, goal and currency add up to what gold.conversions had there, to the last unit.",
        ),
    )


@_of(silver_served.AUDIENCE_CHANGES)
def _silver_audience_changes(table: str, settings: Settings) -> tuple[Expectation, ...]:
    return (none_of(table, "repeated_changes", "Each change of a subject says other than the one before it."),)


@_of(gold.PREDICTIONS)
def _gold_predictions(table: str, settings: Settings) -> tuple[Expectation, ...]:
    return (
        finite(table, "score"),
        none_of(table, "unlike_moments", "All rows of a site are of one moment, and of one version of each model."),
        none_of(
            table,
            "uneven_deciles",
            "Each tenth of a site's people holds as many as another, and the higher one higher probabilities.",
        ),
    )
