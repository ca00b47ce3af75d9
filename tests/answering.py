"""A real API in a process of its own."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from nextclick.settings import environment, load
from tests.collecting import Collector

_QUICK = {"NEXTCLICK_SERVING__PUBLISH_SECONDS": "0.1", "NEXTCLICK_SERVING__REFRESH_SECONDS": "0.02"}


@contextmanager
def answering(lake: Path, *options: str, **settings: str) -> Iterator[Collector]:
    """Start an API on any free port; `settings` are environment variables. It is asked as a collector is."""
    command = [str(Path(sys.executable).parent / "nextclick"), "--lake", str(lake), "serve", "--port", "0", "--json"]
    surroundings = environment(load(lake), **_QUICK | settings)
    with subprocess.Popen(
        [*command, *options], env=surroundings, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdout
        try:
            line = process.stdout.readline()
            assert line, f"the API ended with code {process.wait()}"
            yield Collector(process, json.loads(line)["address"], lake)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
                with suppress(subprocess.TimeoutExpired):
                    process.wait(30)
                os.killpg(process.pid, signal.SIGKILL)
