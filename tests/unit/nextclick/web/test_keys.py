"""Keys, secrets and signatures: who may ask, how often, and what a log says of those who may not."""

import logging
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from nextclick.settings import ReadKey
from nextclick.web.answers import Refused
from nextclick.web.buckets import buckets
from nextclick.web.failures import FailureLog
from nextclick.web.rates import RateLimiter
from nextclick.web.secret import Secret
from nextclick.web.signatures import is_signed, sign
from nextclick.web.site_keys import SiteKeys

SECRET = "a secret of many letters"
UMLAUT = "ein Schlüssel für niemand"


def test_a_signature_is_of_one_user_of_one_site_by_one_secret() -> None:
    signature = sign(SECRET, "shop", "u7")
    # printf 'shop\nu7' | openssl dgst -sha256 -hmac 'a secret of many letters'
    assert signature == "7982fe1ee0204fed2821e4794f60e63b77ab0cbd2f2bc1b95dbcd90d9945c311"
    assert is_signed(SECRET, "shop", "u7", signature.upper())
    assert not is_signed(SECRET, "shop", "u8", signature)
    assert not is_signed(SECRET, "other", "u7", signature)
    assert not is_signed(SECRET, "shop", "u7", "")
    assert not is_signed(SECRET, "shop", "u7", "ünïcode")
    assert not is_signed("", "shop", "u7", sign("", "shop", "u7")), "without a secret nobody is signed"


@pytest.mark.parametrize(
    ("secret", "authorization", "brought"),
    [
        (SECRET, f"Bearer {SECRET}", True),
        (SECRET, f"bearer {SECRET}", True),
        (SECRET, f"BEARER  {SECRET} ", True),
        (SECRET, SECRET, False),
        (SECRET, f"Basic {SECRET}", False),
        (SECRET, "", False),
        (UMLAUT, f"Bearer {UMLAUT}", True),  # sent as latin-1
        (UMLAUT, f"Bearer {UMLAUT}".encode().decode("latin-1"), True),  # sent as UTF-8
        ("", "Bearer ", False),
    ],
)
def test_the_secret_key_comes_as_a_bearer_token_in_any_case_and_encoding(
    secret: str, authorization: str, brought: bool
) -> None:
    assert Secret(secret, "serving.secret_key").brought(authorization) == brought


def test_guesses_of_the_secret_are_bounded_and_the_right_one_is_not() -> None:
    secret = Secret(SECRET, "serving.secret_key")
    assert not any(secret.brought(f"Bearer {number}") for number in range(10))
    with pytest.raises(Refused, match="Too many"):
        secret.brought("Bearer 11")
    assert secret.brought(f"Bearer {SECRET}")


def test_workers_count_guesses_of_a_secret_together(tmp_path: Path) -> None:
    one, other = (Secret(SECRET, "serving.secret_key", tmp_path) for _ in range(2))
    assert not any(secret.brought("Bearer guess") for secret in (one, other) for _ in range(5))
    for secret in (one, other):
        with pytest.raises(Refused, match="Too many"):
            secret.brought("Bearer guess")
        assert secret.brought(f"Bearer {SECRET}")


def test_keys_that_nobody_issued_share_one_bucket_and_known_ones_have_their_own() -> None:
    keys = SiteKeys({"k": ReadKey(site="shop")}, "serving.read_keys", 3)
    statuses = []
    for number in range(10):
        with pytest.raises(Refused) as refused:
            keys.use(f"guess {number}", None)
        statuses.append(refused.value.status)
    assert statuses == [401] * 3 + [429] * 7
    assert keys.use("k", None) == ReadKey(site="shop")
    keyless = SiteKeys[ReadKey]({}, "serving.read_keys", 3)
    assert [keyless.use(f"new {number}", None) for number in range(3)] == [None] * 3
    with pytest.raises(Refused, match="More than 3"):
        keyless.use("the fourth", None)


def test_a_bucket_fills_with_time() -> None:
    now = [0.0]
    rates = RateLimiter(2, lambda: now[0])
    assert [rates.take("k") for _ in range(3)] == [True, True, False]
    now[0] = 0.5
    assert [rates.take("k") for _ in range(2)] == [True, False]


def test_workers_of_a_machine_share_a_rate(tmp_path: Path) -> None:
    one, other = (RateLimiter(4, lambda: 50.0, buckets(tmp_path, ("k", "l"))) for _ in range(2))
    assert [rates.take("k") for rates in (one, other, one, other, one, other)] == [True] * 4 + [False] * 2
    assert one.take("l"), "each key has a bucket of its own"
    later, restarted = (RateLimiter(4, partial(float, now), buckets(tmp_path, ("k", "l"))) for now in (50.25, 3.0))
    assert [later.take("k") for _ in range(2)] == [True, False]
    assert [restarted.take("k") for _ in range(5)] == [True] * 4 + [False], "the clock begins anew with the machine"


def test_no_two_processes_take_one_token(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib; from nextclick.web.buckets import buckets; from nextclick.web.rates import RateLimiter\n"
        "rates = RateLimiter(1000, lambda: 50.0, buckets(pathlib.Path(sys.argv[1]), ('k',)))\n"
        "print(sum(rates.take('k') for _ in range(800)))"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE) for _ in range(2)
    ]
    assert sum(int(process.communicate()[0]) for process in processes) == 1000


def test_a_folder_that_cannot_be_written_leaves_each_worker_its_own(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    rates = RateLimiter(1, lambda: 50.0, buckets(tmp_path / "file" / "folder", ("k",)))
    assert [rates.take("k") for _ in range(2)] == [True, False]


def test_failures_are_logged_once_a_minute_with_their_count(caplog: pytest.LogCaptureFixture) -> None:
    now = [0.0]
    failures = FailureLog("key (serving.read_keys)", lambda: now[0])
    with caplog.at_level(logging.WARNING):
        for at in (0, 1, 59, 60, 61):
            now[0] = at
            failures.count(f"'{at}…'")
    assert [record.getMessage() for record in caplog.records] == [
        "1 requests with a wrong key (serving.read_keys), the newest: '0…'",
        "3 requests with a wrong key (serving.read_keys), the newest: '60…'",
    ]
