"""The words of catalogues for whether an item can be had; one that nobody knows is no "no"."""

import pytest

from nextclick.contracts.availability import available, is_unread

CAN = [
    "true",
    "TRUE ",
    "1",
    "7",
    "2.5",
    "Yes",
    "in stock",
    "In_Stock",
    "InStock",
    "https://schema.org/InStock",
    "schema:InStock",
]
CAN += [
    "http://www.schema.org/PreOrder",
    "preorder",
    "back-order",
    "limited availability",
    "available for order",
    "10+",
    "Low stock",
]
CANNOT = [
    "false",
    "FALSE ",
    "0",
    "0.0",
    "No",
    "out of stock",
    "OutOfStock",
    "out-of-stock",
    "sold_out",
    "Sold Out",
    "unavailable",
]
CANNOT += ["http://schema.org/Discontinued", "//schema.org/SoldOut", "not available", "n", "-3", "-0.5", "Coming soon"]
UNSAID = ["", " ", "null", "None", "n/a", "(not set)", "unknown"]
UNREAD = ["ask us", "--3", "-x", "3-", "2026-05-01", "ausgelistet", "instock?", "1e3", "true or false", "✓"]


@pytest.mark.parametrize(("words", "says"), [(CAN, True), (CANNOT, False), (UNSAID, None), (UNREAD, None)])
def test_words(words: list[str], says: bool | None) -> None:
    assert [word for word in words if available(word) is not says] == []
    assert [word for word in words if is_unread(word) is not (words is UNREAD)] == []
