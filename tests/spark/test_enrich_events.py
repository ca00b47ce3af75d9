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
    "direct": [
        {}, page("colour=red"), came("not an address"), tagged("(direct)", "(none)"), came("null"), came("about:blank"), page("ref=12"),
    ],
    "organic_search": [
        came("https://www.google.co.uk/"), came("https://duckduckgo.com/?q=lamp"), came("https://search.yahoo.co.jp/s"),
        came("android-app://com.google.android.googlequicksearchbox/"), tagged("google", "organic"), page("utm_source=Bing"),
        came("www.google.com"), came("//www.google.com/"), came("https://google.com./"), came("https://www.google.com:443/"),
        came("https://cn.bing.com/"), came("https://presearch.com/"), came("https://www.baidu.com/link"), came("https://images.google.de/"),
        came("https://yandex.com.tr/"), page("srsltid=x") | {"referrer": "https://www.google.com/"}, tagged("google.de", "referral"),
    ],
    "paid_search": [
        page("gclid=x"), page("a=1&msclkid=x"), tagged("google", "CPC"), page("utm_source=bing&utm_medium=ppc"), page("utm_medium=cpc"),
        page("gad_source=1&gad_campaignid=1") | {"referrer": "https://www.google.com/"}, page("gad_source=1"), tagged("google", "shopping"),
        page("id=5&amp;utm_source=google&amp;utm_medium=cpc"), tagged("google_ads", "paid"), came("https://syndicatedsearch.goog/"),
        came("https://www.adsensecustomsearchads.com/"), page("utm_source=partner&utm_medium=cpc&gclid=x"),
    ],
    "organic_social": [
        came("https://l.facebook.com/l.php"), came("https://t.co/x"), page("fbclid=x"), tagged("instagram", "social"),
        tagged("linkedin.com", "referral"), came("https://news.ycombinator.com/item"), came("android-app://com.reddit.frontpage/"),
        came("https://www.pinterest.se/"), came("https://m.weibo.cn/"),
        came("android-app://org.telegram.messenger/"), came("https://lm.facebook.com/"), came("https://lemmy.world/"), page("ref=twitter"),
    ],
    "paid_social": [
        page("ttclid=x"), page("li_fat_id=x"), page("twclid=x"), tagged("facebook", "cpc"), tagged("x", "Paid-Social"),
        tagged("meta", "cpc"), tagged("facebook_ads", "cpc"), page("utm_source=an&utm_medium=paid&fbclid=x"),
        page("utm_medium=paid&fbclid=x"), tagged("instagram", "social-paid"), tagged("tiktok ads", "ppc"),
        page("utm_medium=cpc") | {"referrer": "https://m.facebook.com/"}, tagged("Facebook_Mobile_Feed", "cpc"),
        tagged("Instagram_Stories", "paid"), tagged("linkedin-sponsored", "ppc"),
    ],
    "display": [
        page("dclid=x"), tagged("site", "banner"), page("utm_medium=cpm&utm_source=google"), tagged("criteo", "retargeting"),
        tagged("kelkoo", "cpc"), tagged("taboola", "referral"), came("https://tpc.googlesyndication.com/"), came("https://cas.criteo.com/"),
    ],
    "email": [
        tagged("may", "e-mail"), tagged("june", "Email Newsletter"),
        page("utm_source=newsletter"), came("https://mail.google.com/mail/u/0/"), page("mc_eid=x"),
        came("https://mail.yahoo.co.jp/"), came("https://webmail.provider.example/"), page("UTM_SOURCE=newsletter&Utm_Medium=Email"),
        {"page_url": PAGE + "#utm_source=newsletter&utm_medium=email"}, page("utm_source=%E2%9C%93%zz&utm_medium=email"),
    ],
    "affiliate": [tagged("partner-7", "affiliate"), page("irclickid=x")],
    "referral": [
        came("https://blog.example/lamps"), came("https://notgoogle.example.org/"), came("http://google.evil.example/"),
        came("https://accounts.google.com/"), came("https://docs.google.com/document/d/1"), came("https://news.google.com/"),
        came("https://news.google.co.uk/"), came("https://translate.google.de/"), came("https://finance.yahoo.com/news"),
        came("https://login.live.com/"), came("http://localhost:3000/"), came("blog.example/lamps"), came("https://notshop.example/"),
        page("ref=producthunt"), page("source=Alternative.to"), came("https://mail.ru/"),
    ],
    "ai_assistant": [
        page("utm_source=chatgpt.com"), came("https://gemini.google.com/app"), came("https://www.perplexity.ai/"),
        came("https://m365.cloud.microsoft/chat"), came("https://duck.ai/"), came("https://yiyan.baidu.com/"), came("https://chat.qwen.ai/"),
        came("https://www.kimi.com/chat"), tagged("www.perplexity.ai", "referral"), page("ref=chatgpt.com"),
    ],
    "internal": [
        came("https://shop.example/"), came("https://WWW.shop.example:443/sofa"), came("https://m.shop.example/"),
        came("https://checkout.shop.example/"), page("ref=menu") | {"referrer": PAGE},
    ],
    "campaign": [tagged("poster", "print"), page("utm_campaign=may"), page("utm_medium=push")],
}  # fmt: skip

TAGS: dict[str, tuple[Fields, Fields]] = {
    "the page's": (page("utm_source=a+b&utm_term=%C3%A4%00&utm_content="), {"utm_source": "a b", "utm_term": "ä"}),
    "the event's wins": (page("utm_source=page") | {"utm_source": "event"}, {"utm_source": "event"}),
    "broken escape": (page("utm_source=50%"), {"utm_source": "50%"}),
    "whole names only": ({"page_url": f"{PAGE}#?xutm_source=a"}, {}),
    "fragment": ({"page_url": f"{PAGE}#utm_source=a&utm_medium=b"}, {"utm_source": "a", "utm_medium": "b"}),
    "any case": (page("UTM_Source=A"), {"utm_source": "A"}),
    "escaped for HTML": (page("a=1&amp;utm_source=b&amp;utm_term=c"), {"utm_source": "b", "utm_term": "c"}),
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
    "https://ann:pw@shop.example/reset?token=1&a=2#access_token=3&b=4": "https://shop.example/reset?a=2#b=4",
    "https://ann@shop.example/?Password=1": "https://shop.example/",
    "/#/reset?code=1": "/#/reset",
    "/?monkey=1&zipcode=2&api_secret=3#key": "/?monkey=1&zipcode=2#key",
    "/?gclidx=1&xgclid=2": "/?gclidx=1&xgclid=2",
    "/?id=5&amp;utm_source=b&amp;utm_medium=c": "/?id=5",
    "/?id=5&amp;size=7": "/?id=5&size=7",
    "/?gclid=abc&id=5&fbclid=d&gad_source=1#sec": "/?id=5#sec",
    "/#utm_source=a&top=1": "/#top=1",
    "/?a=1#utm_source=a": "/?a=1",
    "/?mail=ann%2540example.org&a=1": "/?a=1",
    "/user/ann@example.org/orders": "/user/redacted/orders",
    "/user/ann%40example.org?a=1": "/user/redacted?a=1",
    "https://shop.example/ann%2540example.org#a": "https://shop.example/redacted#a",
    "https://shop.example/logo@2x.png": "https://shop.example/logo@2x.png",
    "https://shop.example/#/user/ann@example.org": "https://shop.example/#/user/redacted",
    "https://ann@shop.example/@ann/react@18.2": "https://shop.example/@ann/react@18.2",
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
