"""The jobs, in the order in which the data flows: each a module with `run(spark, settings, trigger)`."""

from typing import Final

SILVER: Final = (
    "build_events", "build_identities", "build_items", "build_user_agents", "build_sessions", "build_impressions",
)  # fmt: skip
GOLD: Final = ("build_interactions", "build_traffic_daily", "build_item_daily", "build_recommendation_performance")
STREAMED: Final = ("ingest_events", "ingest_rejects", *SILVER)
"""What `nextclick stream` keeps running."""
ALL: Final = (*STREAMED, *GOLD)
