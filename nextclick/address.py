"""Network addresses are personal: only a part of one ever reaches the disk."""

import re
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import NamedTuple

_IPV4 = re.compile(r"(?<!\d)(?<!\d\.)(\d{1,3})([.\-_])(\d{1,3})\2(\d{1,3})\2(\d{1,3})(?!\d)(?!\2\d)")
_DOTTED = re.compile(_IPV4.pattern.replace(r"([.\-_])", r"(\.)"))
_IPV6 = re.compile(
    r"(?:(?<![0-9A-Za-z:])|(?<=\\[nrt]))(?=[0-9A-Fa-f]*:[0-9A-Fa-f]*:)[0-9A-Fa-f:]{3,39}(?![0-9A-Za-z:]|\.\d)"
)
_VERSION = re.compile(r"version[\"'\\]{0,4}\s{0,3}[:=]?\s{0,3}[\"'\\]{0,4}v?\Z", re.IGNORECASE)
_KEPT_BITS = {4: 16, 6: 48}
_LONGEST = 64
"""Characters of an address that are looked at: IPv6 with its zone, brackets and a port has fewer."""
_REMEMBERED = 4096
"""Addresses whose meaning is not looked up again: a peer asks more than once."""
_WITH_PORT = re.compile(r"\[([^\]]*)\](?::\d{1,5})?|([^:]*):\d{1,5}")


class KnownAddress(NamedTuple):
    """An address that was looked up: as such, as text, and as text without its last bytes."""

    address: IPv4Address | IPv6Address
    whole: str
    truncated: str


def parsed(written: str) -> IPv4Address | IPv6Address:
    """The address that stands in a header, a log or a payload, in any way that these write it; ValueError if it is none.

    Left out are quotes, brackets, a port, the zone of IPv6, and the proxies behind the first of several addresses;
    an IPv4 address within IPv6 is the IPv4 address. 0.0.0.0 and :: are nobody's.

    >>> [str(parsed(written)) for written in ("203.0.113.9:5123, 10.0.0.1", "::ffff:203.0.113.9", '"[2001:db8::9%eth0]:443"')]
    ['203.0.113.9', '203.0.113.9', '2001:db8::9']
    """
    return known(written).address


def known(written: str) -> KnownAddress:
    """What `parsed` and `truncated` make of it, in one."""
    text = written.partition(",")[0].strip(' \t"')
    if len(text) > _LONGEST:
        raise ValueError("longer than any address")
    return _known(text)


@lru_cache(_REMEMBERED)
def _known(text: str) -> KnownAddress:
    if match := _WITH_PORT.fullmatch(text):
        text = match[1] or match[2] or ""
    read = ip_address(text.partition("%")[0])
    address = getattr(read, "ipv4_mapped", None) or read
    if address.is_unspecified:  # what an anonymizer leaves of everybody
        raise ValueError("stands for no address")
    network = ip_network((address.packed, _KEPT_BITS[address.version]), strict=False)
    return KnownAddress(address, str(address), str(network.network_address))


def truncated(address: str) -> str:
    """The address without its last 2 bytes (IPv4) or 80 bits (IPv6); ValueError if it is none. It is `parsed` first.

    >>> truncated("203.0.113.9"), truncated("2001:db8:1:2::9"), truncated("::ffff:203.0.113.9")
    ('203.0.0.0', '2001:db8:1::', '203.0.0.0')
    """
    return known(address).truncated


def masked(text: str, dashed: bool = True) -> str:
    """The text with every address in it truncated, for records that keep what was sent as it stood.

    An address may have a dot, a dash or an underscore beside it, or be written with dashes as hosts' names are;
    what stands behind the word "version" is one. Not `dashed`: numbers with dashes are none, such as days in a path.

    >>> masked('{"ip": "203.0.113.9", "at": "12:34:56"}'), masked("ip-203-0-113-9.example, app version 1.2.3.4")
    ('{"ip": "203.0.0.0", "at": "12:34:56"}', 'ip-203-0-0-0.example, app version 1.2.3.4')
    """
    if text.count(".") > 2 or text.count("-") > 2 or text.count("_") > 2:
        text = (_IPV4 if dashed else _DOTTED).sub(_without_host, text)
    return _IPV6.sub(_truncated_match, text) if text.count(":") > 1 else text


def _without_host(match: re.Match[str]) -> str:
    first, mark, second, third, fourth = match.groups()
    is_version = _VERSION.search(match.string, max(0, match.start() - 24), match.start())
    if is_version or max(map(int, (first, second, third, fourth))) > 255:
        return match[0]
    return mark.join((first, second, "0", "0"))


def _truncated_match(match: re.Match[str]) -> str:
    try:
        return truncated(match[0])
    except ValueError:  # digits and colons that are no address, such as a time
        return match[0]
