"""A body is unpacked whole, or refused."""

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.request.decompress import unpack
from collector.request.model import Refused, RequestLimits

LIMITS = RequestLimits(batch_events=4, json_depth=8, unpacked_bytes=1024)
A, B = b'{"event":"a","user_id":"1"}\n', b'{"event":"b","user_id":"1"}'


def test_all_members_of_a_gzip_body_are_read() -> None:
    assert unpack(gzip.compress(A) + gzip.compress(B), "gzip", LIMITS) == A + B


@given(st.lists(st.binary(max_size=60), min_size=1, max_size=8), st.sampled_from(("gzip", "x-gzip", "")))
def test_members_unpack_to_what_was_packed(parts: list[bytes], encoding: str) -> None:
    assert unpack(b"".join(map(gzip.compress, parts)), encoding, LIMITS) == b"".join(parts)


def test_deflate_and_plain_bodies_are_read_as_before() -> None:
    assert unpack(zlib.compress(A), "deflate", LIMITS) == A
    assert unpack(A, "", LIMITS) == A


@pytest.mark.parametrize(
    "body",
    [gzip.compress(A) + b"junk", gzip.compress(A) + gzip.compress(B)[:-1], gzip.compress(A)[:-1], gzip.compress(A) + b"\x1f\x8bjunk"],
    ids=["something-behind", "second-cut", "first-cut", "second-damaged"],
)  # fmt: skip
def test_what_is_not_whole_is_refused(body: bytes) -> None:
    with pytest.raises(Refused) as refused:
        unpack(body, "gzip", LIMITS)
    assert (refused.value.status, refused.value.reason) == (400, "bad_encoding")


def test_the_members_of_a_body_share_one_limit() -> None:
    member = gzip.compress(b"x" * 600)
    assert len(unpack(member, "gzip", LIMITS)) == 600
    with pytest.raises(Refused) as refused:
        unpack(member + member, "gzip", LIMITS)
    assert refused.value.status == 413


def test_a_body_of_many_empty_members_is_nothing() -> None:
    assert unpack(gzip.compress(b"") * 5_000, "gzip", LIMITS) == b""
