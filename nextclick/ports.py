"""Ports to listen on."""

import ipaddress
import socket
from typing import Final

from nextclick.errors import UsageError

_HELD: Final[list[socket.socket]] = []
"""Bound, to keep others away, to the end of this process; none of them listens."""


def free(host: str, port: int, option: str = "--port") -> int:
    """The port if nobody has it, any free one for 0; UsageError, which names the `option`, if somebody does."""
    with _bound(host, port, option) as probe:
        return int(probe.getsockname()[1])


def hold(host: str, port: int) -> int:
    """As `free`, and nobody else gets the port while this process lives, but for servers of its own that share ports.

    Servers that share one (SO_REUSEPORT), as ours do, would each get a part of the requests, without a word.
    """
    holder = _bound(host, port, "--port")
    _HELD.append(holder)
    if hasattr(socket, "SO_REUSEPORT"):
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
    return int(holder.getsockname()[1])


def _bound(host: str, port: int, option: str) -> socket.socket:
    probe = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        probe.bind((host, port))
    except OSError as error:
        probe.close()
        raise UsageError(
            f"Port {port} of {host} cannot be used: {error.strerror}. Stop who has it, or choose with {option}."
        ) from error
    return probe


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches `host`."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
