"""A real API in a process of its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.collector_process import Collector, running

_QUICK = {"NEXTCLICK_SERVING__PUBLISH_SECONDS": "0.1", "NEXTCLICK_SERVING__REFRESH_SECONDS": "0.02"}


@contextmanager
def answering(lake: Path, *options: str, under: tuple[str, ...] = (), **settings: str) -> Iterator[Collector]:
    """Start an API on any free port, asked as a collector is; `settings` are environment variables, `under` runs it."""
    with running("serve", lake, _QUICK | settings, *options, under=under) as api:
        yield api
