"""Answers of the API and what pages say of them, as rows of silver.events."""

from datetime import timedelta
from typing import Any, Final

from serving.bandits import trials
from serving.bandits.trials import Draw
from tests import table_rows


def served(request: str, *draws: Draw, day: int = 0, **more: Any) -> dict[str, Any]:
    return event("served", request, day, **more) | {
        "source": "server",
        "properties": [("draws", trials.encode(list(draws)).decode())],
    }


def event(kind: str, request: str | None, day: int = 0, **more: Any) -> dict[str, Any]:
    own = {"event": kind, "event_id": f"{kind}-{request}-{more}", "request_id": request, "site": "default"}
    return own | {"occurred_at": table_rows.NOON + timedelta(days=day)} | more


BANNER: Final = Draw(bandit="banner:home", arm="summer", propensity=0.4, arms=2)
SLOT: Final = Draw(bandit="slot:home", arm="i7", propensity=0.1, arms=21, position=3)
