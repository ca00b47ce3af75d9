"""What the generator knows about its traffic, counted by rules that share no code with the pipeline."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path

import msgspec

from demo.outcome.known_figures import DemoFigures
from demo.traffic.faults import BROKEN
from demo.traffic.marketing import Cost
from demo.traffic.trackers import Fields


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
    costs: dict[str, str]
    """What campaigns cost, the same way."""
    figures: DemoFigures

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


def count_links(events: list[Fields]) -> int:
    """Who is who: visitors seen with a user id, and accounts merged into another."""
    visitors = {
        (event["visitor_id"], event["user_id"]) for event in events if {"visitor_id", "user_id"} <= event.keys()
    }
    merged = {(event["properties"]["previous_id"], event["user_id"]) for event in events if event["event"] == "alias"}
    return len(visitors | merged) + len(merged)  # what was merged may have been a visitor's id


def revenue(events: list[Fields]) -> dict[str, str]:
    """Price × quantity of the purchases, by currency; an order that is sent again counts once."""
    lines = {(e["visitor_id"], e["order_id"], e["item_id"]): e for e in events if e["event"] == "purchase"}
    bought = lines.values()
    return _sums((event["currency"], Decimal(str(event["price"])) * event["quantity"]) for event in bought)


def costs_by_currency(rows: Iterable[Cost]) -> dict[str, str]:
    return _sums((row.currency, Decimal(row.cost)) for row in rows)


def _sums(amounts: Iterable[tuple[str, Decimal]]) -> dict[str, str]:
    totals: defaultdict[str, Decimal] = defaultdict(Decimal)
    for currency, amount in amounts:
        totals[currency] += amount
    return {currency: f"{total:.2f}" for currency, total in sorted(totals.items())}
