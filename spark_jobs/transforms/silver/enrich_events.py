"""Accepted events → events as silver keeps them: their channel, and nothing that tells more of a person than it must."""

from typing import Final

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from spark_jobs.transforms.silver.channel import STEPS
from spark_jobs.transforms.silver.clean_urls import cleaned

UTM: Final = ("utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content")
_PAGE_QUERY: Final = "nullif(regexp_extract(page_url, '(?s)[?#].*', 0), '')"


def enrich_events(events: DataFrame) -> DataFrame:
    """Add `channel`; UTM tags from the page's address where the event brings none; clean addresses, truncate `ip`.

    `payload_hash` stays that of what was sent. Nothing is evaluated twice, nor for events that
    bring nothing to look at: each step is a projection of its own, of these columns and one that
    holds all others, since each writes its rows anew.
    """
    looked_at = (*UTM, *CLEANED)
    others = [name for name in events.columns if name not in looked_at]
    rows = events.select(F.struct(*others).alias("others"), *looked_at)
    for step in ({"page_query": _PAGE_QUERY}, {name: _tag(name) for name in UTM}, *STEPS):
        rows = rows.withColumns({name: F.expr(sql) for name, sql in step.items()})
    return rows.selectExpr("others.*", *UTM, "channel", *(f"{sql} AS {name}" for name, sql in CLEANED.items()))


def _tag(name: str) -> str:
    """The event's tag, else the page's; an escape that is none stays, and NUL, which text cannot hold, goes."""
    raw = f"regexp_extract(page_query, '(?i)[?&;#]{name}=([^&;#]*)', 1)"
    decoded = f"nullif(replace(coalesce(try_url_decode({raw}), {raw}), char(0), ''), '')"
    return f"coalesce(nullif({name}, ''), CASE WHEN contains(lower(page_query), '{name}=') THEN {decoded} END)"


_GROUPS: Final = "slice(split(lower(substring_index(trim(ip), '::', 1)), ':'), 1, 3)"
_SHORT_GROUPS: Final = f"array_join(transform({_GROUPS}, part -> regexp_replace(part, '^0+(?=.)', '')), ':')"
TRUNCATED_IP: Final = f"""
CASE
  WHEN ip IS NULL THEN NULL
  WHEN ip RLIKE r'^\\s*\\d{{1,3}}(\\.\\d{{1,3}}){{3}}\\s*$' THEN regexp_replace(trim(ip), r'\\.\\d+\\.\\d+$', '.0.0')
  WHEN ip RLIKE r'^\\s*[0-9a-fA-F]{{0,4}}:[0-9a-fA-F]{{0,4}}:' THEN concat(regexp_replace({_SHORT_GROUPS}, '(^0)?(:0)*$', ''), '::')
END
"""
"""At most 2 bytes of IPv4 and 48 bits of IPv6, as nextclick.address writes them, whatever was landed; what is no address is null."""

CLEANED: Final = {"page_url": cleaned("page_url"), "referrer": cleaned("referrer"), "ip": TRUNCATED_IP}
"""Columns that keep their name and lose what is not to be kept."""
