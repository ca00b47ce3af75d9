"""Marketing channel of an event: SQL over its UTM tags, its page's query string and its referrer; lists are in sources.py."""

import re
from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Final

from spark_jobs.transforms.silver.sources import CLICK_IDS, HOSTS, MEDIA, PORTALS, SEARCH_HOSTS, SOURCES


def _by(lists: Mapping[str, Iterable[str]], *values: str) -> str:
    """CASE branches: the channel of the first list that has one of the SQL `values`."""
    return " ".join(
        f"WHEN {' OR '.join(f'{value} IN ({_quoted(words)})' for value in values)} THEN '{channel}'"
        for channel, words in lists.items()
    )


def _quoted(words: Iterable[str]) -> str:
    return ", ".join(f"'{word}'" for word in words)


def host(url: str) -> str:
    """SQL of the host in the SQL `url`, without `www.`; null where there is none."""
    pattern = rf"^(?:{_BEFORE_HOST}|{_BARE_HOST})(?:www\.|m\.)?([^/:?#\s]+?)\.?(?:[/:?#]|$)"
    return f"nullif(regexp_extract(lower(trim({url})), r'{pattern}', 1), '')"


_BEFORE_HOST: Final = r"(?:[a-z][a-z0-9+.-]*:)?//(?:[^/?#@]*@)?"
_BARE_HOST: Final = r"(?=[a-z0-9-]+(?:\.[a-z0-9-]+)*\.[a-z]{2,}(?:[/:?#]|$))"
_CLICK_ID: Final = rf"(?i)[?&;#]({'|'.join(chain.from_iterable(CLICK_IDS.values()))})=[^&;#]"
_SOURCES: Final = {channel: (*words, *HOSTS.get(channel, ())) for channel, words in SOURCES.items()}
_COUNTRY: Final = r"(\.com|\.co)?\.[a-z]{2,3}$"
_WHOLE, _BELOW = ("|".join(map(re.escape, PORTALS[kind])) for kind in ("whole", "below_search"))
_SEARCH: Final = rf"^({_WHOLE}){_COUNTRY}|(^|\.)search\.({_BELOW}){_COUNTRY}"
_WEBMAIL: Final = rf"^(web|e)?mail\d?\.[^.]+\.|\.mail\.({_BELOW}){_COUNTRY}"
_ALONE: Final = tuple(host for host in SEARCH_HOSTS if not re.search(_SEARCH, host))
_REF: Final = r"(?i)[?&;](?:ref|source)=(?=[^&;#]*[a-z])([^&;#]+)"
"""Where many sites say who linked to them; a number is none."""
_PLACEMENT: Final = r"(?<=^(?:facebook|instagram|messenger|tiktok|linkedin|pinterest|snapchat))[ _+-].*$"
"""What networks write behind their name for where an ad stood: `Facebook_Mobile_Feed`."""
_SOCIAL: Final = ("paid_social", "organic_social")
_BOUGHT: Final = ("display", "paid_social", "paid_search", "email", "affiliate")
"""Channels of media that say enough, whatever else is there."""

STEPS: Final[tuple[Mapping[str, str], ...]] = (
    {
        "source_word": rf"regexp_replace(lower(trim(utm_source)), r'^www\.|(?<=.)[ _.+-]+(ads?|paid|cpc|ppc)$|{_PLACEMENT}', '')",
        "medium_word": "translate(lower(trim(utm_medium)), ' -', '__')",
        "click_id": f"CASE WHEN page_query IS NOT NULL THEN lower(regexp_extract(page_query, r'{_CLICK_ID}', 1)) END",
        "referred_by": rf"""
            CASE WHEN page_query RLIKE '(?i)[?&;](ref|source)='
            THEN nullif(regexp_replace(lower(regexp_extract(page_query, r'{_REF}', 1)), r'^www\.', ''), '') END""",
        "came_from": host("referrer"),
        "page_host": f"CASE WHEN referrer IS NOT NULL THEN {host('page_url')} END",
    },
    {f"came_from_{labels}": f"substring_index(came_from, '.', -{labels})" for labels in (3, 2)},
    {
        "by_source": f"CASE {_by(_SOURCES, 'source_word')} WHEN source_word RLIKE r'{_SEARCH}' THEN 'organic_search' END",
        "by_medium": f"CASE {_by(MEDIA, 'medium_word')} END",
        "by_click": f"CASE {_by(CLICK_IDS, 'click_id')} END",
        "by_tag": "CASE WHEN coalesce(utm_source, utm_medium, utm_campaign) IS NOT NULL THEN 'campaign' END",
        "by_host": f"""
            CASE WHEN came_from IS NULL THEN NULL
            WHEN came_from = page_host OR endswith(came_from, '.' || page_host) OR endswith(page_host, '.' || came_from)
            THEN 'internal' {_by(HOSTS, "came_from", "came_from_3", "came_from_2")}
            WHEN came_from IN ({_quoted(_ALONE)}) OR came_from RLIKE r'{_SEARCH}' THEN 'organic_search'
            WHEN came_from RLIKE r'{_WEBMAIL}' THEN 'email' ELSE 'referral' END""",
        "by_ref": f"""
            CASE WHEN referred_by IS NULL THEN NULL {_by(_SOURCES, "referred_by")}
            WHEN referred_by RLIKE r'{_SEARCH}' THEN 'organic_search' ELSE 'referral' END""",
    },
    {
        "channel": f"""
            CASE WHEN by_medium IN ('paid', 'paid_search') AND (by_source = 'organic_social'
              OR by_click IN ({_quoted(_SOCIAL)}) OR by_source IS NULL AND by_host = 'organic_social') THEN 'paid_social'
            WHEN by_medium = 'paid' THEN CASE WHEN by_click IN ({_quoted(_BOUGHT)}) THEN by_click
              WHEN by_source = 'organic_search' OR source_word IS NULL OR contains(source_word, 'search') THEN 'paid_search'
              ELSE 'display' END
            WHEN by_medium IN ({_quoted(_BOUGHT)}) THEN by_medium
            ELSE coalesce(by_click, by_source, by_medium, by_tag, by_host, by_ref, 'direct') END"""
    },
)
"""Columns to add one step after the other, the last is the channel: direct, organic_search, paid_search, organic_social, paid_social,
display, email, affiliate, referral, ai_assistant, internal, or campaign for tags that fit nothing."""

FOR_A_MOMENT: Final = tuple(name for step in STEPS[:-1] for name in step)
