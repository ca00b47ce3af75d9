"""Who asks: the client's address, also behind proxies of one's own."""

import re
from collections.abc import Iterator, Mapping, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Final

from nextclick.address import known

Networks = Sequence[IPv4Network | IPv6Network]

_ELEMENT: Final = re.compile(r'(?:[^",]|"[^"]*+")++')
_FOR: Final = re.compile(r'(?i)(?:^|;)\s*for\s*=\s*(?:"([^"]*)"|([^\s;"]*))')


def networks(proxies: Sequence[str]) -> Networks:
    """Addresses and networks (`10.0.0.0/8`) of proxies; ValueError where one is none."""
    return tuple(map(ip_network, proxies))


def address(peer: str, headers: Mapping[str, str], proxies: Networks) -> str:
    """The whole address of who asks; "" where it is not known: no network stands behind the peer, or a proxy says `unknown`.

    That is the peer, or, where the peer is a proxy of ours, the last address of X-Forwarded-For (without it, of RFC 7239's
    Forwarded) that no proxy of ours wrote for another one.

    >>> ours = networks(["10.0.0.0/8"])
    >>> address("10.0.0.1", {"x-forwarded-for": "6.6.6.6, 203.0.113.9:5123, 10.1.1.1"}, ours)
    '203.0.113.9'
    >>> address("::ffff:10.0.0.1", {"forwarded": 'for="[2001:db8::9]:443";proto=https'}, ours)
    '2001:db8::9'
    >>> address("203.0.113.9", {"x-forwarded-for": "6.6.6.6"}, ours)
    '203.0.113.9'
    """
    try:
        asks = known(peer)
        if proxies:
            hops = _hops(headers)
            while any(asks.address in network for network in proxies) and (hop := next(hops, "")):
                asks = known(hop)
    except ValueError:
        return ""
    return asks.whole


def _hops(headers: Mapping[str, str]) -> Iterator[str]:
    """For whom the proxies asked, the last first."""
    if (forwarded := headers.get("x-forwarded-for")) is not None:
        for hop in reversed(forwarded.split(",")):
            if hop.strip():
                yield hop
    elif headers.get("forwarded", "").count('"') % 2:  # so what a client began might swallow what a proxy added
        yield "unknown"
    else:
        for element in reversed(_ELEMENT.findall(headers.get("forwarded", ""))):
            match = _FOR.search(element)
            yield (match[1] or match[2] if match else "") or "unknown"
