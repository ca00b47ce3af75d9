"""What the generator knows about its traffic, counted by rules that share no code with the pipeline."""

from collections import Counter
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from demo.traffic.events import Acts
from demo.traffic.faults import BROKEN
from demo.traffic.trackers import Fields

_OUTSIDE: Final = ("identify", "alias")


class Truth(msgspec.Struct, frozen=True, kw_only=True):
    """The counts that the pipeline has to find again."""

    seed: int
    items: int
    """Records of the catalogue."""
    good: int
    """Distinct good events."""
    late: int
    """Good events that arrived more than ten minutes after they happened."""
    duplicates: int
    """Good events that were sent again, byte for byte."""
    broken: dict[str, int]
    """Broken lines by kind."""
    trackers: dict[str, int]
    """Good events by the tracker that sent them."""
    kinds: dict[str, int]
    """Good events by kind."""
    links: int
    """Distinct pairs of a visitor, or of a merged account, and its user."""
    sessions: int
    """Sessions by the gap of the settings."""
    revenue: dict[str, str]
    """Turnover by currency, as decimals."""

    @property
    def rejected(self) -> int:
        return sum(self.broken.values())

    @property
    def reasons(self) -> dict[str, int]:
        """Broken lines by the reason that quarantine must give."""
        counts: Counter[str] = Counter()
        for kind, count in self.broken.items():
            counts[BROKEN[kind].reason] += count
        return dict(counts)

    @property
    def arrived(self) -> int:
        """All that the trackers sent, event by event."""
        return self.good + self.duplicates + self.rejected


def load_truth(path: Path) -> Truth:
    return msgspec.json.decode(path.read_bytes(), type=Truth)


def count_sessions(acts: Acts, gap: timedelta) -> int:
    """A longer gap opens a new session of the same visitor."""
    inside = np.array([fields["event"] not in _OUTSIDE for fields in acts.fields], dtype=bool)
    at, visitor = acts.at[inside], acts.visitor[inside]
    order = np.lexsort((at, visitor))
    new = (np.diff(visitor[order]) != 0) | (np.diff(at[order]) > gap // timedelta(milliseconds=1))
    return int(new.sum()) + bool(len(at))


def count_links(events: list[Fields]) -> int:
    """Who is who: visitors seen with a user id, and accounts merged into another."""
    visitors = {(event["visitor_id"], event["user_id"]) for event in events if "user_id" in event}
    merged = {(event["properties"]["previous_id"], event["user_id"]) for event in events if event["event"] == "alias"}
    return len(visitors | merged) + len(merged)  # what was merged may have been a visitor's id


def revenue(events: list[Fields]) -> dict[str, str]:
    """Price × quantity of the purchases, by currency."""
    totals: dict[str, Decimal] = {}
    for event in events:
        if event["event"] == "purchase":
            amount = Decimal(str(event["price"])) * event["quantity"]
            totals[event["currency"]] = totals.get(event["currency"], Decimal()) + amount
    return {currency: f"{total:.2f}" for currency, total in sorted(totals.items())}
