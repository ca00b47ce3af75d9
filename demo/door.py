"""The real collector in a process of its own, and the connection over which all trackers send to it."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from functools import cached_property
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec

from demo.trackers import TRACKERS, Line, request
from nextclick.errors import NextclickError
from nextclick.settings import Settings, environment

_AT_ONCE: Final = 1_000
"""Records that go out together: however many of them are oversized, they stay below collector.body_bytes."""
_READ: Final = (200, 400)
"""The collector has what was sent, as events or, with 400, as rejects alone."""
_PATIENCE_SECONDS: Final = 60


class Door:
    """A collector that is starting or running."""

    def __init__(self, process: subprocess.Popen[str], log: Path) -> None:
        self._process = process
        self._log = log

    @cached_property
    def address(self) -> str:
        """Where it listens; waits until /health answers, which is when the collector says so."""
        assert self._process.stdout
        if not (said := self._process.stdout.readline()):
            raise NextclickError(f"The collector did not start: {self._log} says why.")
        return str(msgspec.json.decode(said)["address"])

    def send(self, lines: Sequence[Line]) -> int:
        """Post the records in their order, those of one tracker together; how many requests it took."""
        requests = 0
        with closing(HTTPConnection(urlsplit(self.address).netloc, timeout=_PATIENCE_SECONDS)) as connection:
            for start in range(0, len(lines), _AT_ONCE):
                together = lines[start : start + _AT_ONCE]
                for tracker in TRACKERS:
                    if records := [line.record for line in together if line.tracker == tracker]:
                        self._post(connection, *request(tracker, records))
                        requests += 1
        return requests

    def _post(self, connection: HTTPConnection, path: str, content_type: str, body: bytes) -> None:
        try:
            connection.request("POST", path, body, {"content-type": content_type})
            answer = connection.getresponse()
            said = answer.read()
        except (OSError, HTTPException) as error:
            raise NextclickError(f"The collector does not answer ({error!r}): {self._log} says why.") from error
        if answer.status not in _READ:
            raise NextclickError(f"The collector answered {answer.status}: {said[:300].decode(errors='replace')}")


@contextmanager
def collecting(settings: Settings, log: Path) -> Iterator[Door]:
    """A `nextclick collect` for as long as the body runs, however it ends; `log` keeps what it has to say."""
    command = [str(Path(sys.executable).parent / "nextclick"), "collect", "--port", "0", "--json"]
    with (
        log.open("w") as words,
        subprocess.Popen(
            command, env=environment(settings), stdout=subprocess.PIPE, stderr=words, text=True
        ) as process,
    ):
        try:
            yield Door(process, log)
        finally:
            process.terminate()  # it ends what it has begun, and publishes everything
    if process.returncode:
        raise NextclickError(f"The collector ended with code {process.returncode}: {log} says why.")
