"""What gold.suspects says of the visitors whom the generator made abusers, and of all others."""

from pathlib import Path
from typing import Final

import msgspec

from demo.traffic.abuse import load_abuse
from nextclick.lake.paths import Lake
from nextclick.lake.sql import ask

_NAMED: Final = "SELECT DISTINCT visitor_id, unnest(reasons) FROM gold.suspects WHERE is_suspect"
_VISITORS: Final = "SELECT count(DISTINCT visitor_id) FROM silver.events WHERE visitor_id IS NOT NULL"


class AbuseSeen(msgspec.Struct, frozen=True, kw_only=True):
    """Abusers and suspects, by number."""

    planted: int
    seen: int
    """Abusers who are suspected of what they did."""
    missed: tuple[str, ...]
    """What the others did."""
    suspects: int
    wrong: int
    """Suspects who are no abusers."""
    visitors: int

    @property
    def recall(self) -> float:
        return self.seen / max(1, self.planted)

    @property
    def false_share(self) -> float:
        """Of the suspects."""
        return self.wrong / max(1, self.suspects)


def abuse_seen(lake: Lake, traffic: Path) -> AbuseSeen:
    """The abusers stand in the folder `traffic`."""
    abusers = load_abuse(traffic)
    named = {*ask(lake, _NAMED)[1]}
    missed = [one for one in abusers if (one.visitor_id, one.kind) not in named]
    suspects = {visitor for visitor, _ in named}
    return AbuseSeen(
        planted=len(abusers),
        seen=len(abusers) - len(missed),
        missed=tuple(one.kind for one in missed),
        suspects=len(suspects),
        wrong=len(suspects - {one.visitor_id for one in abusers}),
        visitors=ask(lake, _VISITORS)[1][0][0],
    )
