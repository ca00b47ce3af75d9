"""What tests wait with for what another thread or process does."""

import socket
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def listens(port: int) -> bool:
    """Whether somebody takes connections at this port of the machine."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def now() -> int:
    """Milliseconds since 1970-01-01 UTC."""
    return time.time_ns() // 1_000_000


def wait_until(holds: Callable[[], T], seconds: float = 30.0, every: float = 0.01) -> T:
    """What `holds` returns, as soon as that is true; fail if it never is."""
    deadline = time.monotonic() + seconds
    while not (result := holds()):
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(every)
    return result
