"""The lists of hosts: the vendored one is what its page says, and ours add what holds together with it."""

import re
from collections import Counter
from hashlib import sha256
from pathlib import Path

from spark_jobs.transforms.silver import sources

LISTS = Path(sources.__file__).parent / "referrers"


def test_the_vendored_list_is_the_one_that_its_page_names() -> None:
    digest = sha256((LISTS / "tryghost.json").read_bytes()).hexdigest()
    assert f"sha256 | `{digest}`" in (LISTS / "README.md").read_text()


def test_a_host_has_one_channel_and_can_stand_in_sql() -> None:
    channels = Counter(host for hosts in (*sources.HOSTS.values(), sources.SEARCH_HOSTS) for host in set(hosts))
    assert [host for host, count in channels.items() if count > 1] == []
    assert [host for host in channels if not re.fullmatch(r"[a-z0-9_-]+(\.[a-z0-9_-]+)+", host)] == []


def test_what_the_list_knows_is_in_ours_but_for_what_is_no_search() -> None:
    assert {"web.skype.com", "adroll.com", "mail.163.com"} <= {
        *sources.HOSTS["organic_social"],
        *sources.HOSTS["display"],
        *sources.HOSTS["email"],
    }
    assert {"google.de", "baidu.com", "yahoo.com"} <= set(sources.SEARCH_HOSTS)
    assert not {"news.google.com", "login.live.com", "amazon.com"} & set(sources.SEARCH_HOSTS)


def test_a_word_of_a_campaign_is_of_one_channel() -> None:
    words = Counter(word for names in sources.SOURCES.values() for word in names)
    assert [word for word, count in words.items() if count > 1 or "'" in word] == []
