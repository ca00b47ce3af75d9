"""No whole address and no secret is kept, however it was put into what a tracker sent."""

import base64
import json
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextclick.address import masked
from nextclick.contracts.events import Event
from nextclick.harmless import is_harmless
from nextclick.redaction import redacted, redacted_event, redacted_line, redacted_url, redacted_value

ADDRESS, ADDRESS6, SECRET = "203.0.113.9", "2001:db8:1:2::9", "hunter2"


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("at 203.0.113.9.", "at 203.0.0.0."),
        ("ip_203.0.113.9", "ip_203.0.0.0"),
        ("203.0.113.9.example", "203.0.0.0.example"),
        ("203-0-113-9", "203-0-0-0"),
        ("203_0_113_9", "203_0_0_0"),
        ("ip203.0.113.9", "ip203.0.0.0"),
        ("ip_2001:db8:1:2::9.", "ip_2001:db8:1::."),
        ("[2001:db8:1:2::9]:443", "[2001:db8:1::]:443"),
        ("::ffff:203.0.113.9", "::ffff:203.0.0.0"),
        ("app_version: 1.2.3.4", "app_version: 1.2.3.4"),
        ("1.2.3.4.5 and 2026-11-28-10 and 999.1.1.1", "1.2.3.4.5 and 2026-11-28-10 and 999.1.1.1"),
        ("12:34:56", "12:34:56"),
        (r"a\n2001:db8:1:2::9\t2001:db8:1:2::9", r"a\n2001:db8:1::\t2001:db8:1::"),
        (r"z2001:db8:1:2::9", r"z2001:db8:1:2::9"),
    ],
)
def test_addresses_are_cut_whatever_stands_beside_them(text: str, kept: str) -> None:
    assert masked(text) == kept


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://ann:pw@shop.example/reset?token=a#access_token=b", "https://shop.example/reset"),
        ("https://shop.example/#/reset?token=1&step=2", "https://shop.example/#/reset?step=2"),
        ("https://shop.example/?lang=de&CODE=1;key=2&b=3", "https://shop.example/?lang=de&b=3"),
        ("https://shop.example/?to%6ben=1", "https://shop.example/"),
        ("https://shop.example/?ip=203.0.113.9", "https://shop.example/?ip=203.0.0.0"),
        ("https://a.example/?next=%2Freset%3Ftoken%3Dabc", "https://a.example/?next=%2Freset"),
        ("/reset?password=1", "/reset"),
        ("https://shop.example/??token=1#!access_token=2", "https://shop.example/"),
        ("https://shop.example/?\ntoken=1&page=2", "https://shop.example/?page=2"),
        ("https://shop.example/?session_id=1&reset_code=2&_csrf=3&login[pass]=4&promo_code=5&hash=6", "https://shop.example/?promo_code=5&hash=6"),
        ("https://shop.example/?SAMLResponse=1&oauth_verifier=2&cvv=3&credentials=4&pw=5&state=6", "https://shop.example/?state=6"),
        ("https://shop.example/a@b?q=a+b&utm_source=x%20y#reviews", "https://shop.example/a@b?q=a+b&utm_source=x%20y#reviews"),
        ("https://shop.example/?", "https://shop.example/?"),
        ("https://shop.example/?X-Amz-Signature=1&X-Amz-Date=2", "https://shop.example/?X-Amz-Date=2"),
        ("https://shop.example/?auth[token]=1&user%5Bpassword%5D=2&token[]=3&filter[key][]=4&a[b]=5",
         "https://shop.example/?filter[key][]=4&a[b]=5"),
        ("https://shop.example/?access_key=1&private-key=2&passphrase=3&sort_key=4", "https://shop.example/?sort_key=4"),
        ("https://shop.example/a;jsessionid=1/b;c=2?PHPSESSID=3&sid=4", "https://shop.example/a/b;c=2?sid=4"),
        ("https:/ann:pw@shop.example/a", "https://shop.example/a"),
        ("HTTPS:\\\\ann:pw@shop.example\\a@b", "HTTPS://shop.example\\a@b"),
        ("/@ann/lamp", "/@ann/lamp"),
        ("https://shop.example/?monkey=1&zipcode=2&tokens=3", "https://shop.example/?monkey=1&zipcode=2&tokens=3"),
    ],
)  # fmt: skip
def test_a_url_is_kept_without_userinfo_and_secrets(url: str, kept: str) -> None:
    assert redacted_url(url) == kept


def packed(value: object) -> str:
    return base64.b64encode(json.dumps(value).encode()).decode()


WHOLE = {"ip": ADDRESS, "six": ADDRESS6, "password": SECRET, "url": f"https://a:{SECRET}@b/?x=1&access_token={SECRET}"}


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(WHOLE),
        json.dumps(WHOLE)[:-1],
        json.dumps({"props": json.dumps(WHOLE)}),
        json.dumps({"props": json.dumps({"x": json.dumps(WHOLE)})})[:-1],
        json.dumps(WHOLE).replace(".", "\\u002e").replace(":db8", "\\u003adb8"),
        json.dumps(WHOLE).replace(".", "\\u002e")[:-1],
        json.dumps(WHOLE).encode("utf-16-le").decode("utf-8", "replace"),
        json.dumps({"data": [{"cx": packed(WHOLE), "ue_px": packed(WHOLE).replace("=", "")}]}),
        json.dumps({"data": [{"cx": packed(WHOLE), "ue_px": packed(WHOLE).replace("=", "")}]})[:-1],
        urlencode({"e": "pv", "cx": packed(WHOLE), "co": json.dumps(WHOLE), "ip": ADDRESS6, "token_auth": SECRET}),
        urlencode({"data": packed(WHOLE), "url": quote(quote(ADDRESS6))}),
        packed(WHOLE),
        f'{{"requests": ["?idsite=1&token_auth={SECRET}&cip={quote(ADDRESS6)}"], "token_auth": "{SECRET}"}}',
        f'{{"requests": ["?idsite=1&token_auth={SECRET}&cip={quote(ADDRESS6)}"], "token_auth": "{SECRET}"',
        f"Failed login of {ADDRESS}: password={SECRET} at https://x.example/?api_secret={SECRET}.",
    ],
)
def test_nothing_whole_is_left_in_any_wrapping(text: str) -> None:
    kept = redacted(text)
    for layer in (kept, *(base64.b64decode(part + "==").decode() for part in _base64_of(kept))):
        assert not {word for word in (ADDRESS, ADDRESS6, quote(ADDRESS6), SECRET) if word in layer}
    assert kept


def _base64_of(text: str) -> list[str]:
    return [
        part for part in text.replace("%3D", "").replace('"', "&").replace("=", "&").split("&") if part[:3] == "eyJ"
    ]


@pytest.mark.parametrize("text", ["data=!!!", "H4sIAAAAAAAAA6tWyiwoULJSMjIw", "cx=AAAA"])
def test_base64_that_cannot_be_decoded_is_not_kept(text: str) -> None:
    assert redacted(text) in ("", "data=", "cx=")


PLAIN = '{"event":"view","visitor_id":"v1","properties":{"name":"Lamp, 12:30","size":"10.5"},"price":19.90}'


@pytest.mark.parametrize(
    "text", [PLAIN, PLAIN[:-1], "e=pv&aid=shop&url=http%3A%2F%2Fa.example%2F", "no JSON at all", ""]
)
def test_what_holds_nothing_of_that_is_kept_to_the_letter(text: str) -> None:
    assert redacted(text) == text


def test_names_to_leave_out_are_left_out_of_whatever_it_is() -> None:
    for text in ('{"data":[{"nuid":"n1","e":"pv"}]}', '{"data":[{"nuid":"n1","e":"pv"}', "nuid=n1&e=pv"):
        kept = redacted(text, ("nuid",))
        assert "n1" not in kept
        assert "pv" in kept


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=10,
)


@given(JSON, st.text(max_size=30))
def test_anything_is_redacted_without_a_fault_and_twice_is_once(value: object, text: str) -> None:
    assert redacted(redacted(text)) == redacted(text)
    assert redacted_value(redacted_value(value)) == redacted_value(value)
    redacted(json.dumps(value)[:-1])


def test_a_body_whose_urls_need_no_look_is_known_as_a_whole() -> None:
    event = b'{"event":"view_item","visitor_id":"v","timestamp":1,"page_url":"https://shop.example/%b"}'
    assert is_harmless(b"[%b,%b]" % (event % b"i", event % b"i"))
    for part in (
        b"?token=1",
        b"#token=1",
        b"a;JSESSIONID=1",
        b"a:b@c",
        b"203.0.113.9",
        b"%32",
        b"\\u0032",
        b"[2001:db8::9]",
    ):
        assert not is_harmless(event % part)


@pytest.mark.parametrize(
    "name",
    [
        "jwt",
        "otp",
        "authorization",
        "auth-code",
        "token_auth",
        "x-api-key",
        "user_signature",
        "passphrase",
        "access_key",
        "passwd",
        "secretKey",
        "otpCode",
    ],
)
@pytest.mark.parametrize("written", ['{{"{}":"hunter2"}}', "it was {}=hunter2 then"])
def test_a_property_with_a_secret_of_any_name_in_it_is_looked_at_closer(name: str, written: str) -> None:
    event = Event(event="e", event_id="1", client_time=1, properties={"note": written.format(name)})
    assert SECRET not in str(redacted_event(event).properties)


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://ip-203-0-113-9.example/lamp", "https://ip-203-0-0-0.example/lamp"),
        ("https://ec2-203-0-113-9.compute-1.example/", "https://ec2-203-0-0-0.compute-1.example/"),
        ("//dyn_203_0_113_9.isp.example", "//dyn_203_0_0_0.isp.example"),
        ("https://203-0-113-9.example", "https://203-0-0-0.example"),
        ("https://shop.example/news/2026-01-02-03-04", "https://shop.example/news/2026-01-02-03-04"),
        ("https://ip-203-0-113-9.example/2026-01-02-03-04", "https://ip-203-0-0-0.example/2026-01-02-03-04"),
        ("https://shop.example/shelf-10-20-30-40", "https://shop.example/shelf-10-20-30-40"),
    ],
)
def test_a_host_whose_name_is_an_address_is_masked_and_numbers_of_a_path_are_not(url: str, kept: str) -> None:
    event = Event(event_id="a", event="page_view", client_time=0, page_url=url, referrer=url, properties={"from": url})
    redacted = redacted_event(event)
    assert (redacted.page_url, redacted.referrer, redacted.properties) == (kept, kept, {"from": kept})
    assert is_harmless(b'{"page_url":"%b"}' % url.encode()) is (url == kept)


def test_the_path_of_a_page_is_the_same_with_a_query_and_without() -> None:
    path = "https://shop.example/news/2026-01-02-03-04"
    assert redacted_url(f"{path}?lang=de") == f"{path}?lang=de"
    assert redacted_url("/news/10-20-30-40?token=1") == "/news/10-20-30-40"
    assert (
        redacted_url("https://shop.example/from/203.0.113.9?lang=de") == "https://shop.example/from/203.0.0.0?lang=de"
    )


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("203-0-113-9.isp.example", "203-0-0-0.isp.example"),
        ("from ec2-203-0-113-9.compute-1.example", "from ec2-203-0-0-0.compute-1.example"),
        ("ip_203_0_113_9", "ip_203_0_0_0"),
        ("12-34-56-78", "12-34-56-78"),
        ("2026-01-02-03", "2026-01-02-03"),
    ],
)
def test_a_property_that_is_such_a_hosts_name_is_masked_and_the_number_of_a_part_is_not(
    written: str, kept: str
) -> None:
    event = Event(event_id="a", event="page_view", client_time=0, properties={"client": written})
    assert redacted_event(event).properties == {"client": kept}


@pytest.mark.parametrize(
    "line",
    ["Authorization: Bearer hunter2", 'curl -H "authorization: basic hunter2" https://shop.example', "Proxy-Authorization: Digest hunter2",
     "'secret' => 'hunter2', 'a' => 1", '{"a": "x", "authorization": "Bearer hunter2", ', "token = hunter2"],
)  # fmt: skip
def test_a_line_that_is_no_json_keeps_no_credentials(line: str) -> None:
    assert SECRET not in redacted_line(line)
