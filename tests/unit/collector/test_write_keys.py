"""What a write key lets a page send."""

import msgspec
import pytest

from collector.http.write_keys import Keys
from collector.request.model import Refused
from nextclick.contracts.events import Event
from nextclick.settings import WriteKey, load
from nextclick.web.signatures import sign

NOW = 1_795_341_600_000  # 2026-11-22T10:00:00Z
DAY = 86_400_000
SECRET = "a secret of many letters"
VIEW = Event(event="view_item", event_id="e1", client_time=NOW, visitor_id="v1")
KEYS = {
    "all": WriteKey(site="shop"),
    "page": WriteKey(site="shop", kinds=("view_item", "identify"), users=False, oldest_days=2),
    "signed": WriteKey(site="shop", users="signed"),
}


@pytest.fixture
def keys() -> Keys:
    return Keys(msgspec.structs.replace(load(environ={}).collector, write_keys=KEYS, secret_key=SECRET))


@pytest.mark.parametrize(
    ("key", "changes", "reason"),
    [
        ("all", {"event": "purchase", "user_id": "u7", "client_time": 0}, None),
        ("page", {}, None),
        ("page", {"event": "purchase"}, "kind_not_allowed"),
        ("page", {"user_id": "u7"}, "user_not_allowed"),
        ("page", {"event": "identify"}, "user_not_allowed"),
        ("page", {"client_time": NOW - 2 * DAY}, None),
        ("page", {"client_time": NOW - 2 * DAY - 1}, "too_old"),
        ("page", {"client_time": 0, "occurred_at": NOW}, None),  # a wrong clock that the request told of
        ("page", {"client_time": NOW, "occurred_at": 0}, "too_old"),
        ("signed", {}, None),
        ("signed", {"user_id": "u7"}, "user_not_allowed"),
        ("signed", {"user_id": "u7", "properties": {"user_signature": sign(SECRET, "shop", "u7")}}, None),
        ("signed", {"user_id": "u8", "properties": {"user_signature": sign(SECRET, "shop", "u7")}}, "user_not_allowed"),
        (
            "signed",
            {"user_id": "u7", "properties": {"user_signature": sign(SECRET, "other", "u7")}},
            "user_not_allowed",
        ),
        ("signed", {"event": "alias", "visitor_id": "v2", "properties": {"previous_id": "v1"}}, "user_not_allowed"),
    ],
)
def test_a_key_says_which_events_a_page_may_send(
    keys: Keys, key: str, changes: dict[str, object], reason: str | None
) -> None:
    refusal = keys.grant(key, {}).refusal(msgspec.structs.replace(VIEW, **changes), NOW)
    assert (refusal[0] if refusal else None) == reason


def test_the_secret_key_lifts_the_limits_and_keeps_the_site(keys: Keys) -> None:
    grant = keys.grant("page", {"authorization": f"bearer {SECRET}"})
    assert grant.site == "shop"
    assert grant.refusal(msgspec.structs.replace(VIEW, event="purchase", user_id="u7", client_time=0), NOW) is None


def test_a_signature_may_stand_in_a_header_for_all_events_of_its_user(keys: Keys) -> None:
    grant = keys.grant("signed", {"x-user-signature": sign(SECRET, "shop", "u7")})
    assert grant.refusal(msgspec.structs.replace(VIEW, user_id="u7"), NOW) is None
    assert grant.refusal(msgspec.structs.replace(VIEW, user_id="u8"), NOW) is not None


def test_an_unknown_key_sends_nothing(keys: Keys) -> None:
    with pytest.raises(Refused, match=r"collector\.write_keys"):
        keys.grant("guess", {})
