"""Ports to listen on."""

import ipaddress
import socket

from nextclick.errors import UsageError


def free(host: str, port: int, option: str = "--port") -> int:
    """The port if nobody listens on it, any free one for 0; UsageError, which names the `option`, if somebody does."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise UsageError(
                f"Port {port} of {host} cannot be used: {error.strerror}. Stop who has it, or choose with {option}."
            ) from error
        return int(probe.getsockname()[1])


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches `host`."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
