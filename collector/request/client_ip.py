"""Who asks: the client's address, also behind proxies of one's own."""

from collections.abc import Collection, Mapping


def address(peer: str, headers: Mapping[str, str], proxies: Collection[str]) -> str:
    """The last address of X-Forwarded-For that no trusted proxy wrote for another one; `peer` where `peer` is no proxy of ours.

    >>> address("10.0.0.1", {"x-forwarded-for": "6.6.6.6, 203.0.113.9"}, ["10.0.0.1"])
    '203.0.113.9'
    >>> address("203.0.113.9", {"x-forwarded-for": "6.6.6.6"}, ["10.0.0.1"])
    '203.0.113.9'
    """
    hops = [hop.strip() for hop in headers.get("x-forwarded-for", "").split(",") if hop.strip()]
    while peer in proxies and hops:
        peer = hops.pop()
    return peer
