"""What silver makes of addresses, by rows that a reader checks by eye and by random ones against plain Python: one Spark job for all."""

import random
from collections.abc import Iterator, Mapping
from ipaddress import IPv6Address

import pytest
from pyspark.sql import Row, SparkSession

from nextclick.address import truncated
from spark_jobs.transforms.silver.enrich_events import UTM, enrich_events
from tests import oracle

pytestmark = pytest.mark.spark

Fields = Mapping[str, str]

PAGE = "https://www.shop.example/lamp"


def page(query: str) -> dict[str, str]:
    return {"page_url": f"{PAGE}?{query}"}


def came(referrer: str) -> Fields:
    return {"page_url": PAGE, "referrer": referrer}


def tagged(source: str, medium: str) -> Fields:
    return {"page_url": PAGE, "utm_source": source, "utm_medium": medium}


CHANNELS: dict[str, list[Fields]] = {
    "direct": [{}, page("colour=red"), came("not an address"), tagged("(direct)", "(none)")],
    "organic_search": [
        came("https://www.google.co.uk/"), came("https://duckduckgo.com/?q=lamp"), came("https://search.yahoo.co.jp/s"),
        came("android-app://com.google.android.googlequicksearchbox/"), tagged("google", "organic"), page("utm_source=Bing"),
    ],
    "paid_search": [page("gclid=x"), page("a=1&msclkid=x"), tagged("google", "CPC"), page("utm_source=bing&utm_medium=ppc")],
    "organic_social": [
        came("https://l.facebook.com/l.php"), came("https://t.co/x"), page("fbclid=x"), tagged("instagram", "social"),
        tagged("linkedin.com", "referral"), came("https://news.ycombinator.com/item"),
    ],
    "paid_social": [page("ttclid=x"), page("li_fat_id=x"), page("twclid=x"), tagged("facebook", "cpc"), tagged("x", "Paid-Social")],
    "display": [page("dclid=x"), tagged("site", "banner"), page("utm_medium=cpm&utm_source=google")],
    "email": [tagged("may", "e-mail"), page("utm_source=newsletter"), came("https://mail.google.com/mail/u/0/"), page("mc_eid=x")],
    "affiliate": [tagged("partner-7", "affiliate"), page("irclickid=x")],
    "referral": [came("https://blog.example/lamps"), came("https://notgoogle.example.org/"), came("http://google.evil.example/")],
    "ai_assistant": [page("utm_source=chatgpt.com"), came("https://gemini.google.com/app"), came("https://www.perplexity.ai/")],
    "internal": [came("https://shop.example/"), came("https://WWW.shop.example:443/sofa"), came("https://m.shop.example/")],
    "campaign": [tagged("poster", "print"), page("utm_campaign=may")],
}  # fmt: skip

TAGS: dict[str, tuple[Fields, Fields]] = {
    "the page's": (page("utm_source=a+b&utm_term=%C3%A4%00&utm_content="), {"utm_source": "a b", "utm_term": "ä"}),
    "the event's wins": (page("utm_source=page") | {"utm_source": "event"}, {"utm_source": "event"}),
    "broken escape": (page("utm_source=50%"), {"utm_source": "50%"}),
    "not in the fragment": ({"page_url": f"{PAGE}#?xutm_source=a"}, {}),
}

CLEAN = {
    "/p1": "/p1",
    "/?a=1&utm_source=x&b=2#top": "/?a=1&b=2#top",
    "/?utm_source=x&utm_medium=y": "/",
    "/?UTM_Source=x&gclid=y#top": "/#top",
    "/?a=1&GCLID": "/?a=1",
    "/;jsessionid=A1?PHPSESSID=x": "/",
    "/?sid=7&sid=0123456789abcdef": "/?sid=7",
    "/?to=ann@example.org&a=b@3&npm=react@18.2&q=@ann": "/?a=b@3&npm=react@18.2&q=@ann",
    "/?mail=ann%40example.org": "/",
    "/?next=/a?gclid=x&b=1": "/?next=/a?b=1",
    "/?gclidx=1&xgclid=2": "/?gclidx=1&xgclid=2",
}

ADDRESSES = {
    "203.0.113.9": "203.0.0.0",
    " 203.0.0.0 ": "203.0.0.0",
    "2001:0DB8:0001:0002::9": "2001:db8:1::",
    "::ffff:203.0.113.9": "::",
    "::1": "::",
    "ann's laptop": None,
    "": None,
}


def random_urls(draw: random.Random) -> Iterator[str]:
    words = [
        "a=1",
        "b",
        "utm_source=x",
        "utm_term=",
        "gclid=x",
        "PHPSESSID=1",
        "sid=3",
        "sid=0123456789abcdef",
        "e=ann@example.org",
        "q=%20",
    ]
    for _ in range(60):
        end = draw.choice(["", "", "#top"])
        yield draw.choice(["/", PAGE]) + "?" + "&".join(draw.choices(words, k=draw.randrange(1, 7))) + end


def random_addresses(draw: random.Random) -> Iterator[str]:
    for _ in range(40):
        yield ".".join(str(draw.randrange(256)) for _ in range(4))
        groups = [0x2001, *(draw.choice([0, 0, 0xDB8, 0xA]) for _ in range(7))]
        whole = IPv6Address(b"".join(group.to_bytes(2, "big") for group in groups))
        yield draw.choice([str(whole), whole.exploded])


URLS = CLEAN | {url: oracle.cleaned(url) for url in random_urls(random.Random(1))}
IPS = ADDRESSES | {address: truncated(address) for address in random_addresses(random.Random(2))}
NAMES = ("page_url", "referrer", *UTM, "ip")


@pytest.fixture(scope="module")
def enriched(spark: SparkSession) -> dict[str, Row]:
    """Every row above by its case: what it came with is in columns of the same names behind `was_`."""
    events: dict[str, Fields] = {
        **{f"{channel} {n}": fields for channel, rows in CHANNELS.items() for n, fields in enumerate(rows)},
        **{name: event for name, (event, _) in TAGS.items()},
        **{url: {"page_url": url, "referrer": url} for url in URLS},
        **{f"ip {address}": {"ip": address} for address in IPS},
    }
    rows = [(case, *(fields.get(name) for name in NAMES)) for case, fields in events.items()]
    frame = spark.createDataFrame(rows, ", ".join(f"`{name}` string" for name in ("case", *NAMES)))
    return {row.case: row for row in frame.transform(enrich_events).collect()}


@pytest.mark.parametrize("channel", CHANNELS)
def test_where_visits_come_from(enriched: dict[str, Row], channel: str) -> None:
    found = {f"{n} {fields}": enriched[f"{channel} {n}"].channel for n, fields in enumerate(CHANNELS[channel])}
    assert found == dict.fromkeys(found, channel)


@pytest.mark.parametrize("case", TAGS)
def test_utm_tags_are_the_event_s_or_the_page_s(enriched: dict[str, Row], case: str) -> None:
    assert {name: value for name in UTM if (value := enriched[case][name]) is not None} == TAGS[case][1]


def test_addresses_lose_what_tells_of_the_visitor_or_the_campaign_and_nothing_else(enriched: dict[str, Row]) -> None:
    assert {url: enriched[url].page_url for url in URLS} == URLS
    assert {url: enriched[url].referrer for url in URLS} == URLS


def test_an_address_of_the_network_never_enters_silver_whole(enriched: dict[str, Row]) -> None:
    assert {address: enriched[f"ip {address}"].ip for address in IPS} == IPS


def test_only_the_columns_of_silver_come_out(enriched: dict[str, Row]) -> None:
    [row, *_] = enriched.values()
    assert set(row.asDict()) == {"case", *NAMES, "channel"}
