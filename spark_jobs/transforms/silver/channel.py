"""Marketing channel of an event, from its UTM tags and referrer."""

from typing import Final

_SEARCH: Final = r"(^|\.)(google|bing|duckduckgo|yahoo|yandex|baidu|ecosia|qwant|startpage|brave)\."
_SOCIAL: Final = (
    r"(^|\.)(facebook|instagram|twitter|x|t|linkedin|lnkd|pinterest|reddit|tiktok|youtube|mastodon|bsky|vk|threads)\."
)
_NETWORK: Final = "^(facebook|instagram|twitter|x|linkedin|pinterest|reddit|tiktok|youtube)$"

_MEDIUM: Final = "lower(coalesce(utm_medium, ''))"
_SOURCE: Final = "lower(coalesce(utm_source, ''))"
_PAID: Final = f"{_MEDIUM} IN ('cpc', 'ppc', 'paid', 'paidsearch', 'paid_search', 'paid_social', 'paidsocial')"
_FROM_NETWORK: Final = f"{_SOURCE} RLIKE '{_NETWORK}'"
_TAGGED: Final = f"({_MEDIUM} <> '' OR {_SOURCE} <> '')"


def _host(url: str) -> str:
    return f"lower(coalesce(regexp_extract({url}, r'^[a-zA-Z][a-zA-Z0-9+.-]*://([^/:?#]+)', 1), ''))"


CHANNEL: Final = f"""
CASE
  -- Most events carry none of the three: they are decided without touching a regular expression.
  WHEN coalesce(utm_medium, utm_source, referrer) IS NULL THEN 'direct'
  WHEN {_PAID} AND ({_FROM_NETWORK} OR {_MEDIUM} IN ('paid_social', 'paidsocial')) THEN 'paid_social'
  WHEN {_PAID} THEN 'paid_search'
  WHEN {_MEDIUM} = 'email' THEN 'email'
  WHEN {_MEDIUM} IN ('affiliate', 'affiliates') THEN 'affiliate'
  WHEN {_MEDIUM} IN ('display', 'banner', 'cpm') THEN 'display'
  WHEN {_MEDIUM} IN ('social', 'organic_social') OR ({_TAGGED} AND {_FROM_NETWORK}) THEN 'organic_social'
  WHEN {_TAGGED} THEN 'campaign'
  WHEN {_host("referrer")} <> '' AND {_host("referrer")} = {_host("page_url")} THEN 'internal'
  WHEN {_host("referrer")} RLIKE r'{_SEARCH}' THEN 'organic_search'
  WHEN {_host("referrer")} RLIKE r'{_SOCIAL}' THEN 'organic_social'
  WHEN {_host("referrer")} <> '' THEN 'referral'
  ELSE 'direct'
END
"""
"""SQL over an event's columns: paid_search, paid_social, email, affiliate, display, social, campaign,
internal, organic_search, organic_social, referral or direct; the first rule that applies wins."""
