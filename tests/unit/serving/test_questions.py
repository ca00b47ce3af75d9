"""Plain queries, which nearly all are, are read by hand; they say what the standard library says of them."""

from urllib.parse import parse_qsl

import pytest

from serving.schema.requests import _pairs


@pytest.mark.parametrize(
    "query",
    ["", "visitor_id=a", "a=1&a=2", "&a=1&", "a", "a=", "=1", "a=b=c", "a;b=1", "a=1;b=2", "?a=1", "a=1&&b=2", "a b=1"],
)
def test_a_plain_query_is_read_as_the_standard_library_reads_it(query: str) -> None:
    assert _pairs(query.encode()) == parse_qsl(query, keep_blank_values=True)


def test_what_is_not_plain_is_read_by_the_standard_library() -> None:
    assert _pairs(b"a=%C3%A4+b&c=1") == [("a", "ä b"), ("c", "1")]
    for wrong in (b"a=%ff", b"\xc3\xa4=1", b"a&" * 2_001):
        with pytest.raises(ValueError, match=r"codec|fields"):
            _pairs(wrong)
