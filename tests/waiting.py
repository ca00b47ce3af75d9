"""What tests wait with for what another thread or process does."""

import time
from collections.abc import Callable


def now() -> int:
    """Milliseconds since 1970-01-01 UTC."""
    return time.time_ns() // 1_000_000


def wait_until(holds: Callable[[], bool], seconds: float = 30.0) -> None:
    """Return as soon as it holds; fail if it never does."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.01)
