"""Network addresses are personal: only a part of one ever reaches the disk."""

import re
from ipaddress import ip_address, ip_network

_IPV4 = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w.])")
_IPV6 = re.compile(r"(?<![\w:])(?=[0-9A-Fa-f]*:[0-9A-Fa-f]*:)[0-9A-Fa-f:]{3,39}(?![\w:])")
_KEPT_BITS = {4: 16, 6: 48}


def truncated(address: str) -> str:
    """The address without its last 2 bytes (IPv4) or 80 bits (IPv6); ValueError if it is none.

    >>> truncated("203.0.113.9"), truncated("2001:db8:1:2::9")
    ('203.0.0.0', '2001:db8:1::')
    """
    whole = ip_address(address.strip())
    return str(ip_network((whole.packed, _KEPT_BITS[whole.version]), strict=False).network_address)


def masked(text: str) -> str:
    """The text with every address in it truncated, for records that keep what was sent as it stood.

    >>> masked('{"ip": "203.0.113.9", "at": "12:34:56"}')
    '{"ip": "203.0.0.0", "at": "12:34:56"}'
    """
    return _IPV6.sub(_truncated_match, _IPV4.sub(_truncated_match, text))


def _truncated_match(match: re.Match[str]) -> str:
    try:
        return truncated(match[0])
    except ValueError:  # digits and colons that are no address, such as a time
        return match[0]
