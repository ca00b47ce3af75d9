"""What user agents say, by agents as they are sent; and every agent that the list of crawlers knows is a bot's."""

from pathlib import Path

import pytest
from crawleruseragents import CRAWLER_USER_AGENTS_DATA

from nextclick.contracts.silver import DEVICES
from nextclick.lake.paths import lake_at
from spark_jobs.jobs import build_user_agents
from spark_jobs.transforms.silver.user_agents import described
from tests.table_rows import write

IPHONE = "iPhone; CPU iPhone OS 17_0 like Mac OS X"
APPLE = "AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.1"
CHROME = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0"

PEOPLE = {
    f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {CHROME} Safari/537.36": ("Chrome", "120.0.0", "Windows", "10", "desktop"),
    f"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) {CHROME} Safari/537.36": ("Chrome", "120.0.0", "Chrome OS", "14541.0.0", "desktop"),
    f"Mozilla/5.0 (Linux; Android 10; K) {CHROME} Mobile Safari/537.36": ("Chrome Mobile", "120.0.0", "Android", "10", "phone"),
    f"Mozilla/5.0 (Linux; Android 11; SM-T500) {CHROME} Safari/537.36": ("Chrome", "120.0.0", "Android", "11", "tablet"),
    f"Mozilla/5.0 (Linux; Android 9; CUBOT X19) {CHROME} Mobile Safari/537.36": ("Chrome Mobile", "120.0.0", "Android", "9", "phone"),
    f"Mozilla/5.0 (iPad; CPU OS 13_3 like Mac OS X) {APPLE} Mobile/15E148 Safari/604.1": ("Mobile Safari", "17.1", "iOS", "13.3", "tablet"),
    f"Mozilla/5.0 ({IPHONE}) {APPLE} Mobile/15E148 Safari/604.1": ("Mobile Safari", "17.1", "iOS", "17.0", "phone"),
    f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {APPLE} Safari/605.1.15": ("Safari", "17.1", "Mac OS X", "10.15.7", "desktop"),
    f"Mozilla/5.0 (Linux; Android 10; SM-G960F) {CHROME} Mobile Safari/537.36 [Pinterest/Android]": (None, None, "Android", "10", "phone"),
    f"Mozilla/5.0 ({IPHONE}) {APPLE} Mobile/15E148 [Pinterest/Android]": (None, None, None, None, "phone"),
    "Opera/9.80 (Android; Opera Mini/36.2.2254/119.132; U; id) Presto/2.12.423 Version/12.16": ("Opera Mini", None, None, None, "phone"),
    "Opera/9.80 (J2ME/MIDP; Opera Mini/9.80/28.2647; U; en) Presto/2.8.119 Version/11.10": ("Opera Mini", None, None, None, "phone"),
    f"Mozilla/5.0 ({IPHONE}) {APPLE} Mobile/15E148 [FBAN/FBIOS;FBAV/450.0;FBDV/iPhone14,2;FBLC/de_DE]": (None, None, "iOS", None, "phone"),
    f"Mozilla/5.0 ({IPHONE}) {APPLE} GSA/300.0.598994205 Mobile/15E148 Safari/604.1": ("Google", None, "iOS", "17.0", "phone"),
    f"Mozilla/5.0 (Linux; Android 13; M BOT TAB 10) {CHROME} Safari/537.36": ("Chrome", None, "Android", "13", "tablet"),
    f"Mozilla/5.0 (Linux; Android 12; IDbot553) {CHROME} Mobile Safari/537.36": ("Chrome Mobile", None, "Android", "12", "phone"),
    f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {CHROME} Safari/537.36 Edg/120.0": ("Edge", None, "Windows", "10", "desktop"),
    "Mozilla/5.0 (X11; Linux x86_64; rv:115.0) Gecko/20100101 Thunderbird/115.6.0": ("Thunderbird", None, "Linux", None, "desktop"),
    f"Mozilla/5.0 (Linux; Android 14; Pixel 8; wv) {CHROME} Mobile Safari/537.36 BytedanceWebview": (None, None, "Android", "14", "phone"),
    "MyShop/1.0 CFNetwork/1120 Darwin/19.0.0": ("MyShop", "1.0", "iOS", None, "phone"),
    "Dalvik/2.1.0 (Linux; U; Android 9; SM-G960F Build/PPR1)": ("Android", "9", "Android", "9", "phone"),
    f"Mozilla/5.0 (SMART-TV; Linux; Tizen 5.0) {CHROME} TV Safari/537.36": ("Chrome", "120.0.0", "Tizen", "5.0", "tv"),
    "Roku/DVP-9.10 (519.10E04111A)": ("Roku", "9.10", "Roku", "9.10", "tv"),
    "Mozilla/5.0 (PlayStation 5 3.20) AppleWebKit/605.1.15 (KHTML, like Gecko)": (None, None, None, None, "console"),
    "": (None, None, None, None, "other"),
    "shop": (None, None, None, None, "other"),
}  # fmt: skip
"""Agent → browser, its version, system, its version, device; None: not looked at here."""


@pytest.mark.parametrize("agent", PEOPLE)
def test_agents_of_people(agent: str) -> None:
    found, expected = described(agent), PEOPLE[agent]
    assert [got for got, want in zip(found[1:6], expected, strict=True) if want] == [want for want in expected if want]
    assert (found.user_agent, found.is_bot, found.bot_name) == (agent, False, None)


def test_every_sample_of_the_list_of_crawlers_is_a_bot_with_a_name() -> None:
    samples = [sample for entry in CRAWLER_USER_AGENTS_DATA for sample in entry.get("instances", ())]
    assert len(samples) > 1000
    found = [described(sample) for sample in samples]
    assert {(one.is_bot, one.device) for one in found} == {(True, "bot")}
    assert all(one.bot_name and one.bot_name in one.user_agent for one in found)


def test_bots_have_the_name_that_they_give() -> None:
    agents = {
        "Googlebot": "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
        "bingbot": "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
        "GPTBot": "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko); compatible; GPTBot/1.1; +https://openai.com/gptbot",
        "curl": "curl/8.5.0",
        "Datadog/Synthetics": "Datadog/Synthetics",
        "Cypress": f"Mozilla/5.0 (X11; Linux x86_64) {CHROME} Cypress/13.6.0 Electron/25.8.4 Safari/537.36",
        "undici": "undici",
        "PostmanRuntime": "PostmanRuntime/7.36.0",
        "k6": "k6/0.49.0 (https://k6.io/)",
    }
    assert {name: described(agent).bot_name for name, agent in agents.items()} == {name: name for name in agents}


def test_an_agent_of_any_length_is_kept_whole_and_takes_no_time() -> None:
    for agent in ("Android " * 500, "Mozilla/5.0 (" + "(" * 4000, "x" * 4096):
        found = described(agent)
        assert found.user_agent == agent
        assert found.device in DEVICES


def test_those_that_are_there_are_known_also_where_none_came(tmp_path: Path) -> None:
    lake = lake_at(tmp_path / "lake")
    write(lake, "silver.user_agents", [{"user_agent": "a"}, {"user_agent": "b"}])
    assert build_user_agents._known(lake, {"b", "c"}) == {"b"}
    assert build_user_agents._known(lake, set()) == set()
