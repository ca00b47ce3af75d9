"""One of nextclick's own services in a process of its own, on a free port of loopback."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

import msgspec

from nextclick.errors import NextclickError
from nextclick.settings import Settings, environment


class Service:
    """A service that is starting or running; `log` keeps what it has to say."""

    def __init__(self, process: subprocess.Popen[str], log: Path) -> None:
        self._process = process
        self.log = log

    @cached_property
    def said(self) -> dict[str, str]:
        """What it says of itself once /health answers; waits for it."""
        assert self._process.stdout
        if not (said := self._process.stdout.readline()):
            raise NextclickError(f"{self.log.stem} did not start: {self.log} says why.")
        return msgspec.json.decode(said, type=dict[str, str])

    @property
    def address(self) -> str:
        """Where it listens."""
        return self.said["address"]


@contextmanager
def running(settings: Settings, verb: str, folder: Path, **handed: str) -> Iterator[Service]:
    """`nextclick VERB --port 0` for as long as the body runs, however it ends; its log goes to `folder`."""
    command, log = (
        [str(Path(sys.executable).parent / "nextclick"), verb, "--port", "0", "--json"],
        folder / f"{verb}.log",
    )
    with (
        log.open("w") as words,
        subprocess.Popen(
            command, env=environment(settings, **handed), stdout=subprocess.PIPE, stderr=words, text=True
        ) as process,
    ):
        try:
            yield Service(process, log)
        finally:
            process.terminate()  # it ends what it has begun, and publishes everything
    if process.returncode:
        raise NextclickError(f"nextclick {verb} ended with code {process.returncode}: {log} says why.")
