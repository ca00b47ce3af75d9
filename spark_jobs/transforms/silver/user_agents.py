"""What a user agent says: browser and system by ua-parser, bots by the list of crawler-user-agents and a few of ours besides.

Agents repeat, so each distinct one is looked at once, by plain Python where the job runs:
half a millisecond to two. What is made of a session or an event is a join.
"""

import re
from functools import cache
from typing import Final, NamedTuple

from pyspark.sql import DataFrame
from ua_parser import OS, UserAgent, parse

READ_CHARS: Final = 1024
"""Of a longer agent the rest is not looked at, so that none takes long."""

_DEVICES: Final = (
    ("tv", r"smart-?tv|apple ?tv|google ?tv|android ?tv|hbbtv|web0s|netcast|roku|bravia|viera|crkey|\baft[a-z0-9]{1,4}\b|\btv\b"),
    ("console", r"playstation|xbox|nintendo"),
    ("tablet", r"ipad|tablet(?! pc)|kindle|playbook|silk/|^(?!dalvik|.*(?:mobi|opera mini)).*android"),
    ("phone", r"mobi|iphone|ipod|android|windows phone|blackberry|bb10|symbian|opera mini|kaios"),
    ("desktop", r"windows|macintosh|mac os x|x11|linux|\bcros\b"),
)  # fmt: skip
"""Device classes by what the agent holds; the first that fits counts."""

_TOOLS: Final = re.compile(
    r"Datadog\w*(?:/Synthetics)?|Cypress(?=/)|\bundici\b|^node$|^(?:Bun|Deno)(?=/)|PostmanRuntime|insomnia(?=/)|\bk6(?=/)|Thunder Client"
    r"|bruno-runtime|GuzzleHttp|\bselenium(?=/)|\bsynthetics\b",
    re.IGNORECASE,
)
"""Monitors, test drivers and libraries that the list of crawlers lacks."""


class DescribedAgent(NamedTuple):
    """A row of silver.user_agents."""

    user_agent: str
    browser: str | None
    browser_version: str | None
    os: str | None
    os_version: str | None
    device: str
    is_bot: bool
    bot_name: str | None


def distinct_agents(events: DataFrame) -> DataFrame:
    return events.where("user_agent IS NOT NULL").select("user_agent").distinct()


def described(agent: str) -> DescribedAgent:
    """One user agent, parsed.

    >>> described("Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0")[1:6]
    ('Firefox', '128.0', 'Linux', None, 'desktop')
    """
    read = agent[:READ_CHARS]
    parsed = parse(read)
    browser, system = parsed.user_agent, parsed.os
    spider = parsed.device is not None and parsed.device.family == "Spider"
    bot = _crawler(read) or (browser.family if spider and browser else "spider" if spider else None)
    return DescribedAgent(
        user_agent=agent,
        browser=browser.family if browser else None,
        browser_version=_version(browser),
        os=system.family if system else None,
        os_version=_version(system),
        device="bot" if bot else _device(read, system.family if system else None),
        is_bot=bot is not None,
        bot_name=bot,
    )


def _version(of: UserAgent | OS | None) -> str | None:
    parts = (of.major, of.minor, of.patch) if of else ()
    return ".".join(part for part in parts if part) or None


def _device(agent: str, system: str | None) -> str:
    fits = (name for name, pattern in _DEVICES if re.search(pattern, agent, re.IGNORECASE))
    # Apps on a phone of Apple's name themselves, and the system's network library.
    return next(fits, "phone" if system == "iOS" else "other")


def _crawler(agent: str) -> str | None:
    """What the first pattern of the list that fits finds in the agent; None if there is none."""
    patterns = (_TOOLS, *_crawlers())
    first = next((match for pattern in patterns if (match := pattern.search(agent))), None)
    return first and (first[0].strip(" /;:(+-") or first[0])


@cache
def _crawlers() -> tuple[re.Pattern[str], ...]:
    from crawleruseragents import CRAWLER_USER_AGENTS_DATA

    return tuple(re.compile(entry["pattern"]) for entry in CRAWLER_USER_AGENTS_DATA)
