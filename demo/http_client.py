"""The connection over which all of the demo's trackers send to the collector."""

from collections.abc import Sequence
from contextlib import closing
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from demo.service import Service
from demo.traffic.trackers import TRACKERS, TrackerRecord, request
from nextclick.errors import NextclickError

_AT_ONCE: Final = 1_000
"""Records that go out together: however many of them are oversized, they stay below collector.body_bytes."""
_READ: Final = (200, 400)
"""The collector has what was sent, as events or, with 400, as rejects alone."""
_PATIENCE_SECONDS: Final = 60


def send(collector: Service, lines: Sequence[TrackerRecord]) -> int:
    """Post the records in their order, those of one tracker together; how many requests it took."""
    requests = 0
    with closing(HTTPConnection(urlsplit(collector.address).netloc, timeout=_PATIENCE_SECONDS)) as connection:
        for start in range(0, len(lines), _AT_ONCE):
            together = lines[start : start + _AT_ONCE]
            for tracker in TRACKERS:
                if records := [line.record for line in together if line.tracker == tracker]:
                    _post(connection, *request(tracker, records), collector.log)
                    requests += 1
    return requests


def _post(connection: HTTPConnection, path: str, content_type: str, body: bytes, log: Path) -> None:
    try:
        connection.request("POST", path, body, {"content-type": content_type})
        answer = connection.getresponse()
        said = answer.read()
    except (OSError, HTTPException) as error:
        raise NextclickError(f"The collector does not answer ({error!r}): {log} says why.") from error
    if answer.status not in _READ:
        raise NextclickError(f"The collector answered {answer.status}: {said[:300].decode(errors='replace')}")
