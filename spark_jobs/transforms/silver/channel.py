"""Marketing channel of an event, from its UTM tags and referrer."""

from typing import Final

from pyspark.sql import Column
from pyspark.sql import functions as F

_SEARCH: Final = r"(^|\.)(google|bing|duckduckgo|yahoo|yandex|baidu|ecosia|qwant|startpage|brave)\."
_SOCIAL: Final = (
    r"(^|\.)(facebook|instagram|twitter|x|t|linkedin|lnkd|pinterest|reddit|tiktok|youtube|mastodon|bsky|vk|threads)\."
)


def channel() -> Column:
    """One of paid_search, paid_social, email, affiliate, display, social, campaign, internal,
    organic_search, organic_social, referral, direct; the first rule that applies wins."""
    medium = F.lower(F.coalesce("utm_medium", F.lit("")))
    source = F.lower(F.coalesce("utm_source", F.lit("")))
    host = F.lower(F.coalesce(F.regexp_extract("referrer", r"^[a-zA-Z][a-zA-Z0-9+.-]*://([^/:?#]+)", 1), F.lit("")))
    page = F.lower(F.coalesce(F.regexp_extract("page_url", r"^[a-zA-Z][a-zA-Z0-9+.-]*://([^/:?#]+)", 1), F.lit("")))
    paid = medium.isin("cpc", "ppc", "paid", "paidsearch", "paid_search", "paid_social", "paidsocial")
    social = source.rlike(r"^(facebook|instagram|twitter|x|linkedin|pinterest|reddit|tiktok|youtube)$")
    tagged = (medium != "") | (source != "")
    rule = (
        F.when(paid & (social | medium.isin("paid_social", "paidsocial")), "paid_social")
        .when(paid, "paid_search")
        .when(medium == "email", "email")
        .when(medium.isin("affiliate", "affiliates"), "affiliate")
        .when(medium.isin("display", "banner", "cpm"), "display")
        .when(medium.isin("social", "organic_social") | (tagged & social), "organic_social")
        .when(tagged, "campaign")
        .when((host != "") & (host == page), "internal")
        .when(host.rlike(_SEARCH), "organic_search")
        .when(host.rlike(_SOCIAL), "organic_social")
        .when(host != "", "referral")
        .otherwise("direct")
    )
    # Most events carry none of the three: decide those without touching a regular expression.
    bare = F.coalesce("utm_medium", "utm_source", "referrer").isNull()
    return F.when(bare, F.lit("direct")).otherwise(rule)
