"""What a visitor allowed, in the forms in which others say it: each reads as what it means, or says nothing."""

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.dialects.shared.consents import consent
from nextclick.contracts.events import Consent
from tests.tracker_requests import json_of, parsed, request

ALL, NOTHING = (Consent(analytics=said, personalization=said, advertising=said) for said in (True, False))
ANALYTICS = Consent(analytics=True, personalization=False, advertising=False)
REFUSED_TCF = "CPXxRfAPXxRfAAfKABENB-CgAAAAAAAAAAYgAAAAAAAA"


def tcf(*purposes: int) -> str:
    """A TCF 2 string whose only consents are these purposes, bit by bit as its specification lists the fields."""
    fields = [
        (2, 6),
        (1, 36),
        (1, 36),
        (7, 12),
        (1, 12),
        (1, 6),
        (260, 12),
        (15, 12),
        (2, 6),
        (1, 1),
        (0, 1),
        (4095, 12),
    ]
    bits = "".join(f"{value:0{width}b}" for value, width in fields)
    bits += "".join(str(int(purpose in purposes)) for purpose in range(1, 25)) + "1" * 24 + "0" * 56
    return base64.urlsafe_b64encode(int(bits, 2).to_bytes(len(bits) // 8)).decode().rstrip("=")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        # objects: Google's consent mode in JavaScript's and in Android's words, Osano's, Cookiebot's, British spelling
        ({"ad_storage": "granted", "ad_user_data": "denied", "ad_personalization": "denied", "analytics_storage": "granted"},
         Consent(analytics=True, personalization=False, advertising=False)),
        ({"adStorage": "GRANTED", "analyticsStorage": "DENIED", "ad-personalization": " denied "},
         Consent(analytics=False, personalization=False, advertising=True)),
        ({"ANALYTICS": "ACCEPT", "MARKETING": "DENY", "PERSONALIZATION": "ACCEPT", "OPT_OUT": "ACCEPT"},
         Consent(analytics=True, personalization=True, advertising=False)),
        ({"necessary": True, "preferences": False, "statistics": True, "marketing": False}, ANALYTICS),
        ({"Personalisation": "opt-out", "Targeting": "opt_in"}, Consent(personalization=False, advertising=True)),
        ({"essential": True}, None),
        ({"analytics": "later"}, None),
        ('{"analytics": true, "ad_storage": "denied"}', Consent(analytics=True, advertising=False)),
        ('["statistics"]', ANALYTICS),
        ("{analytics: true}", None),
        # one word for everything
        (True, ALL), (False, NOTHING), ("granted", ALL), ("Denied", NOTHING), (0, NOTHING), (1, ALL), ("opted-out", NOTHING),
        # lists of what is allowed: Cookiebot's and Tealium's, OneTrust's cookie
        (["analytics"], ANALYTICS), (["necessary", "statistics"], ANALYTICS), ("necessary", NOTHING), (",C0001,C0002,", ANALYTICS),
        ("C0001,C0002,C0003,C0004", ALL), ("analytics marketing", Consent(analytics=True, personalization=False, advertising=True)),
        # TCF
        (tcf(*range(1, 12)), ALL), (tcf(), NOTHING), (REFUSED_TCF, NOTHING), (tcf(1, 8, 9), ANALYTICS), (tcf(8, 9), NOTHING),
        (tcf(1, 3, 4, 5, 6) + ".IFoEUQQgAIQwgIwQABAEAAAAOIAACAIAAAAQ", Consent(analytics=False, personalization=True, advertising=True)),
        (tcf(1, 3, 5), NOTHING),
        # what says nothing
        ("perhaps", None), ("", None), (None, None), ([], None), (["newsletter"], None), (["analytics", "newsletter"], None), (2, None),
        (1.5, None), ("BOEFEAyOEFEAyAHABDENAI4AAAB9vABAASA", None), ("C" * 29, None), ("C" * 33, None), ([{"analytics": True}], None),
    ],
)  # fmt: skip
def test_a_form_of_consent_says_what_it_means(value: Any, said: Consent | None) -> None:
    assert consent(value) == said


@given(st.sets(st.integers(1, 11)))
def test_each_purpose_wants_all_of_its_own(purposes: set[int]) -> None:
    wanted = {"analytics": {1, 8, 9}, "personalization": {1, 5, 6}, "advertising": {1, 3, 4}}
    assert consent(tcf(*purposes)) == Consent(**{name: needed <= purposes for name, needed in wanted.items()})


@given(json_of("analytics", "ad_storage") | st.text("C0123456789_-.,abcXYZ", max_size=80))
def test_anything_is_a_consent_or_says_nothing(value: Any) -> None:
    assert isinstance(consent(value), Consent | None)


def test_a_no_in_any_form_is_one_in_each_dialect() -> None:
    for said in (False, "denied", REFUSED_TCF, ",C0001,", ["necessary"], {"personalization": "rejected"}):
        for path, body in (
            ("/v1/events", {"event": "x", "visitor_id": "v", "consent": said}),
            ("/track", [{"event": "x", "properties": {"distinct_id": "v", "consent": said}}]),
            ("/2/httpapi", {"api_key": "k", "events": [{"event_type": "x", "device_id": "v", "event_properties": {"consent": said}}]}),
            ("/api/event", {"n": "x", "u": "https://a.example/", "d": "a", "p": {"consent": said}}),
            ("/v1/track", {"type": "track", "event": "x", "anonymousId": "v", "context": {"consent": said}}),
            ("/e", {"event": "x", "distinct_id": "v", "properties": {"consent": said}}),
        ):  # fmt: skip
            (event,) = parsed(request(path, body)).events
            assert event.consent is not None, (path, said)
            assert event.consent.personalization is False, (path, said)


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"gcs": "G100"}, Consent(analytics=False, advertising=False)),
        ({"x-ga-gcs": "G111"}, Consent(analytics=True, advertising=True)),
        ({"gcd": "11t1t1t1t5"}, ALL),
        ({"gcd": "11p1t1p1p5"}, ANALYTICS),
        ({"x-ga-gcd": "13r3v3m3u1l1"}, Consent(analytics=True, personalization=False, advertising=False)),
        ({"gcd": "13l3l3l3l1"}, None),
        ({"gcd": "13l3l3l3l1", "gcs": "G101"}, Consent(analytics=True, advertising=False)),
        ({"gcd": 7, "gcs": []}, None),
    ],
)
def test_ga4_says_it_as_googles_tags_write_it_into_an_address(params: dict[str, Any], said: Consent | None) -> None:
    (event,) = parsed(request("/mp/collect", {"client_id": "v", "events": [{"name": "x", "params": params}]})).events
    assert event.consent == said


def test_matomo_says_that_nothing_was_agreed() -> None:
    (event,) = parsed(
        request("/matomo.php", b"", "idsite=1&_id=0123456789abcdef&consent=0&url=https://a/", "GET")
    ).events
    assert event.consent == Consent(analytics=False)
