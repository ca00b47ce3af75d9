"""Marketing channel of an event: SQL over its UTM tags, its page's query string and its referrer; lists are in sources.py."""

from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Final

from spark_jobs.transforms.silver.sources import CLICK_IDS, HOSTS, MEDIA, SEARCH_NAMES, SOURCES


def _by(lists: Mapping[str, Iterable[str]], *values: str) -> str:
    """CASE branches: the channel of the first list that has one of the SQL `values`."""
    return " ".join(
        f"WHEN {' OR '.join(f'{value} IN ({_quoted(words)})' for value in values)} THEN '{channel}'"
        for channel, words in lists.items()
    )


def _quoted(words: Iterable[str]) -> str:
    return ", ".join(f"'{word}'" for word in words)


def _host(url: str) -> str:
    return rf"nullif(regexp_extract(lower({url}), r'^[a-z][a-z0-9+.-]*://(?:www\.|m\.)?([^/:?#]+)', 1), '')"


_CLICK_ID: Final = rf"(?i)[?&;]({'|'.join(chain.from_iterable(CLICK_IDS.values()))})=[^&;#]"
_SOURCES: Final = {channel: (*words, *HOSTS.get(channel, ())) for channel, words in SOURCES.items()}
_HOST_ENDS: Final = ("came_from", "substring_index(came_from, '.', -3)", "substring_index(came_from, '.', -2)")
_SEARCH: Final = rf"(^|\.)({'|'.join(SEARCH_NAMES)})\.[a-z]{{2,3}}(\.[a-z]{{2}})?$"
_BOUGHT: Final = ("display", "paid_social", "paid_search", "email", "affiliate")
"""Channels of media that say enough, whatever else is there."""

STEPS: Final[tuple[Mapping[str, str], ...]] = (
    {
        "source_word": "lower(trim(utm_source))",
        "medium_word": "translate(lower(trim(utm_medium)), ' -', '__')",
        "click_id": f"CASE WHEN page_query IS NOT NULL THEN lower(regexp_extract(page_query, r'{_CLICK_ID}', 1)) END",
        "came_from": _host("referrer"),
        "page_host": f"CASE WHEN referrer IS NOT NULL THEN {_host('page_url')} END",
    },
    {
        "by_source": f"CASE {_by(_SOURCES, 'source_word')} END",
        "by_medium": f"CASE {_by(MEDIA, 'medium_word')} END",
        "by_click": f"CASE {_by(CLICK_IDS, 'click_id')} END",
        "by_tag": "CASE WHEN coalesce(utm_source, utm_medium, utm_campaign) IS NOT NULL THEN 'campaign' END",
        "by_host": f"""
            CASE WHEN came_from IS NULL THEN NULL WHEN came_from = page_host THEN 'internal' {_by(HOSTS, *_HOST_ENDS)}
            WHEN came_from RLIKE r'{_SEARCH}' THEN 'organic_search' ELSE 'referral' END""",
    },
    {
        "channel": f"""
            CASE WHEN by_medium = 'paid_search' AND by_source = 'organic_social' THEN 'paid_social'
            WHEN by_medium IN ({_quoted(_BOUGHT)}) THEN by_medium
            ELSE coalesce(by_click, by_source, by_medium, by_tag, by_host, 'direct') END"""
    },
)
"""Columns to add one step after the other, the last is the channel: direct, organic_search, paid_search, organic_social, paid_social,
display, email, affiliate, referral, ai_assistant, internal, or campaign for tags that fit nothing."""

FOR_A_MOMENT: Final = tuple(name for step in STEPS[:-1] for name in step)
