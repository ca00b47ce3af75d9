"""Ports: taken ones are refused, held ones are the holder's and its servers' alone."""

import socket

import pytest

from nextclick import ports
from nextclick.errors import UsageError

HOST = "127.0.0.1"


def test_a_held_port_is_refused_to_others_and_open_to_a_server_that_shares_it() -> None:
    port = ports.hold(HOST, 0)
    for ask in (ports.free, ports.hold):
        with pytest.raises(UsageError, match=f"Port {port} of 127.0.0.1 cannot be used: Address already in use"):
            ask(HOST, port)
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        server.bind((HOST, port))
        server.listen()
        with socket.create_connection((HOST, port), timeout=5):
            server.accept()[0].close()


def test_a_port_on_which_somebody_listens_is_refused_and_a_free_one_stays_free() -> None:
    with socket.create_server((HOST, 0)) as server, pytest.raises(UsageError, match="Stop who has it"):
        ports.free(HOST, server.getsockname()[1])
    port = ports.free(HOST, 0)
    with socket.create_server((HOST, port)):
        pass
