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


ZIPPED, RAW = gzip.compress(A, mtime=0), zlib.compressobj(wbits=-15)
RAW_DEFLATE = RAW.compress(A) + RAW.flush()
FORM = b"x=1&data=eyJ9"


@pytest.mark.parametrize(
    ("body", "encoding", "plain"),
    [
        (zlib.compress(A), "deflate", A),
        (RAW_DEFLATE, "deflate", A),
        (ZIPPED, "GZIP, identity", A),
        (ZIPPED, "deflate", A),
        (ZIPPED, "identity", A),
        (A, "gzip", A),
        (A, "deflate", A),
        (A, "identity", A),
        (A, "utf-8", A),
        (A, "", A),
        (FORM, "gzip", FORM),
        (b"", "gzip", b""),
        (ZIPPED + bytes(512), "gzip", A),
        (A, "UTF8", A),
        (A, "binary, 8bit", A),
        (A, "none", A),
    ],
)
def test_a_body_is_what_its_bytes_say_where_a_label_is_wrong(body: bytes, encoding: str, plain: bytes) -> None:
    assert unpack(body, encoding, LIMITS) == plain


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "gzip,br", "compress", "aws-chunked", "\x1b[31m"])
def test_an_encoding_that_is_not_read_is_refused_as_such(encoding: str) -> None:
    with pytest.raises(Refused) as refused:
        unpack(gzip.compress(A), encoding, LIMITS)
    assert (refused.value.status, refused.value.reason) == (415, "unknown_encoding")
    assert "\x1b" not in str(refused.value)


def test_little_may_not_become_much() -> None:
    limits = RequestLimits(batch_events=4, json_depth=8, unpacked_bytes=8 << 20, unpack_ratio=100)
    assert len(unpack(gzip.compress(b"x" * (256 << 10)), "gzip", limits)) == 256 << 10
    with pytest.raises(Refused) as refused:
        unpack(gzip.compress(b"x" * (1 << 20)), "gzip", limits)
    assert (refused.value.status, refused.value.reason) == (413, "body_too_large")
    assert "unpack_ratio" in str(refused.value)


@pytest.mark.parametrize(
    "body",
    [
        ZIPPED + b"junk",
        ZIPPED + gzip.compress(B, mtime=0)[:-1],
        ZIPPED[:-1],
        ZIPPED + b"\x1f\x8bjunk",
        zlib.compress(A) + b"junk",
        zlib.compress(A)[:-1],
        RAW_DEFLATE + b"\xff",
    ],
)
def test_what_is_not_whole_is_refused(body: bytes) -> None:
    with pytest.raises(Refused) as refused:
        unpack(body, "gzip" if body[:1] == b"\x1f" else "deflate", LIMITS)
    assert (refused.value.status, refused.value.reason) == (400, "bad_encoding")


def test_the_members_of_a_body_share_one_limit() -> None:
    member = gzip.compress(b"x" * 600)
    assert len(unpack(member, "gzip", LIMITS)) == 600
    with pytest.raises(Refused) as refused:
        unpack(member + member, "gzip", LIMITS)
    assert refused.value.status == 413


def test_a_body_of_many_empty_members_is_nothing() -> None:
    assert unpack(gzip.compress(b"") * 5_000, "gzip", LIMITS) == b""
