"""A signed address opens itself, and nothing that differs by a letter."""

from pathlib import Path
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis
from hypothesis import strategies as st

from nextclick.lake.paths import Lake
from nextclick.web.signed_links import SignedLinks

_texts = st.text(max_size=12)


@pytest.fixture(scope="module")
def links(tmp_path_factory: pytest.TempPathFactory) -> SignedLinks:
    return SignedLinks(Lake(tmp_path_factory.mktemp("lake")), lambda: 1000.0)


def test_it_opens_until_its_end(tmp_path: Path) -> None:
    now = [999.0]
    links = SignedLinks(Lake(tmp_path), lambda: now[0])
    address = links.sign("/overview?where=site%3Dshop", 1000)
    assert address.startswith("/overview?where=site%3Dshop&until=1000&signature=")
    assert links.end(address) == 1000
    now[0] = 1000.0
    assert links.end(address) is None


def test_its_key_is_its_owners_alone_and_a_new_one_ends_all(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    links = SignedLinks(lake, lambda: 1.0)
    address = links.sign("/overview", 1000)
    assert SignedLinks(lake, lambda: 1.0).end(address) == 1000
    assert (lake.state / "link_key").stat().st_mode & 0o777 == 0o600
    links.renew()
    assert links.end(address) is None
    assert links.end(links.sign("/overview", 1000)) == 1000
    assert (lake.state / "link_key").stat().st_mode & 0o777 == 0o600


def test_before_anything_was_signed_a_request_leaves_no_key(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    assert SignedLinks(lake, lambda: 1.0).end(f"/overview?until=1000&signature={'0' * 64}") is None
    assert not lake.state.exists()


def test_what_it_is_bound_to_must_be_shown(links: SignedLinks) -> None:
    address = links.sign("/files/a", 2000, "token")
    assert links.end(address, "token") == 2000
    assert links.end(address) is links.end(address, "other") is None


@hypothesis(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words=st.lists(st.tuples(_texts, _texts), max_size=4), other=st.tuples(_texts, _texts), at=st.integers(0, 4))
def test_no_word_can_be_changed_left_out_or_added(
    links: SignedLinks, words: list[tuple[str, str]], other: tuple[str, str], at: int
) -> None:
    words = [word for word in words if word[0] not in ("until", "signature")]
    signed = links.sign(f"/page?{urlencode(words)}", 2000)
    assert links.end(signed) == 2000
    tail = signed[signed.index("until=") :]
    for changed in ([*words[:at], other, *words[at:]], words[1:], words[::-1]):
        if changed != words:
            assert links.end(f"/page?{urlencode(changed)}&{tail}") is None
    assert links.end(signed.replace("/page", "/pages")) is None


@pytest.mark.parametrize(
    "query",
    [
        "",
        "until=2000",
        "until=2000&signature=",
        "until=x&signature=ä",
        "until=2000&until=3000&signature=0",
        "until=" + "9" * 5000 + "&signature=0",
    ],
)
def test_what_was_not_signed_opens_nothing(links: SignedLinks, query: str) -> None:
    assert links.end(f"/page?{query}") is None
