"""What is known of where visitors come from: hosts, names of campaign sources, media and click ids, by channel. Data only.

Hosts are those of a list that others keep (`referrers/README.md`), behind a few of our own (`referrers/additions.toml`).
"""

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

_LISTS: Final = Path(__file__).parent / "referrers"
_LISTED: Final[Mapping[str, Mapping[str, str]]] = json.loads((_LISTS / "tryghost.json").read_text(encoding="utf-8"))
_OURS: Final[Mapping[str, Any]] = tomllib.loads((_LISTS / "additions.toml").read_text(encoding="utf-8"))
_CHANNELS: Final = {"search": "organic_search", "social": "organic_social", "email": "email", "paid": "display"}
"""The list's medium → channel; its others are referrals, as hosts that it lacks."""


def _listed(medium: str) -> Iterator[str]:
    """The hosts of the list, but for those that ours name and those that are only something below an address."""
    ours = {host for hosts in _OURS["hosts"].values() for host in hosts}
    for entry, about in _LISTED.items():
        host = re.sub(r"^(www|m)\.", "", entry.lower())
        is_news = medium == "search" and host.startswith("news.")
        if about["medium"] == medium and "." in host and "/" not in host and host not in ours and not is_news:
            yield host


def _words(channel: str) -> tuple[str, ...]:
    """Names of a channel as utm_source has them: ours, and the list's networks, where a name is of one medium alone.

    Its searches and mail services are often named as a firm that does much besides: orange, vodafone.
    """
    medium = {"organic_social": "social", "display": "paid"}.get(channel)
    names: dict[str, set[str]] = {}
    for about in _LISTED.values():
        names.setdefault(about["source"].lower(), set()).add(about["medium"])
    ours = {word for words in _OURS["sources"].values() for word in words}
    listed = (name for name, media in names.items() if media == {medium} and name not in ours and "'" not in name)
    return (*_OURS["sources"].get(channel, ()), *listed)


_MEDIA: Final = {channel: medium for medium, channel in _CHANNELS.items()}

HOSTS: Final = {
    channel: (*hosts, *(_listed(_MEDIA[channel]) if channel in _MEDIA and channel != "organic_search" else ()))
    for channel, hosts in _OURS["hosts"].items()
    if channel != "referral"
}
"""Hosts that a referrer may name, or end with; the first channel that has one counts."""

SEARCH_HOSTS: Final = tuple(sorted(set(_listed("search"))))
"""Hosts of searches that stand for themselves alone: what else their owners have is no search."""

PORTALS: Final[Mapping[str, list[str]]] = _OURS["portals"]

SOURCES: Final = {channel: _words(channel) for channel in _OURS["sources"]}
"""What utm_source says, beside hosts."""

MEDIA: Final = {
    "display": (
        "display", "banner", "cpm", "expandable", "interstitial", "native", "programmatic", "retargeting", "remarketing",
    ),
    "paid_social": ("paid_social", "paidsocial", "social_paid", "socialpaid", "cpc_social", "social_cpc", "social_ads"),
    "paid_search": ("sem", "paid_search", "paidsearch", "search_paid", "search_ads", "adwords"),
    "paid": ("cpc", "ppc", "cpv", "paid", "paid_media", "ads", "shopping", "paid_shopping", "pla"),
    "email": ("email", "e_mail", "mail", "newsletter", "email_newsletter", "newsletter_email", "emailing", "mailing"),
    "affiliate": ("affiliate", "affiliates", "partner"),
    "organic_social": ("social", "organic_social", "social_organic", "social_network", "social_media", "sm"),
    "organic_search": ("organic", "organic_search"),
    "referral": ("referral", "link"),
}  # fmt: skip
"""What utm_medium says, in lower case and with _ for a space or a hyphen; `paid` leaves it to the source what was paid for."""

CLICK_IDS: Final = {
    "paid_search": ("gclid", "gbraid", "wbraid", "gad_source", "gad_campaignid", "msclkid", "yclid"),
    "display": ("dclid",),
    "paid_social": ("ttclid", "twclid", "li_fat_id", "sccid", "rdt_cid", "epik"),
    "organic_social": ("fbclid", "igshid", "igsh"),  # on links that people share as well as on paid ones
    "email": ("mc_eid", "_hsenc", "mkt_tok", "vero_id"),
    "affiliate": ("irclickid", "cjevent", "awc"),
}
"""Parameters by which a network marks whom it sent."""

TRACES: Final = (
    "gclsrc", "srsltid", "mc_cid", "_hsmi", "_ga", "_gl", "s_kwcid", "oly_anon_id", "oly_enc_id",
)  # fmt: skip
"""Further parameters that tell of a campaign or a click, and not of the page."""

SESSION_IDS: Final = (
    "phpsessid",
    "jsessionid",
    "asp.net_sessionid",
    "sessionid",
    "session_id",
    "sessid",
    "cfid",
    "cftoken",
)
"""Parameters that hold the site's own session; `sid` is one where its value looks like it."""
