"""What is landed in the lake of tests/spark/test_path.py beside the history that the oracle follows, and what must become of it.

Sites are independent, so that one walk of all jobs serves them all. Each module here has sites of its own. `FIRST`, `SECOND` and
`THIRD` say what comes in which cut; `assert_…` reads what became of it.
"""

from typing import Any

from tests.spark.conftest import MINUTE, RECEIVED
from tests.table_rows import NOON

DAY = 24 * 60
ARRIVED = RECEIVED + 60 * DAY * MINUTE
"""When all of it comes: after the last of these events."""


def act(minute: int, event: str, visitor: str, site: str, /, **fields: Any) -> dict[str, Any]:
    """An event so many minutes after noon (UTC) of January 1."""
    names = {"event": event, "event_id": f"{visitor} {minute} {event}", "visitor_id": visitor, "site": site}
    return names | {"client_time": round(NOON.timestamp() * 1000) + minute * MINUTE} | fields
