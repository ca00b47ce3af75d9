"""Of which sites and goals the fitted rules say nothing: what the step writes beside their rows, and reports read."""

from collections.abc import Mapping
from typing import Final

import msgspec

from nextclick.contracts.gold_analytics import ATTRIBUTION_FITTED
from nextclick.lake import delta
from nextclick.lake.paths import Lake

_FACT: Final = "nextclick.attribution_refused"


class _Refusal(msgspec.Struct, frozen=True):
    site: str
    goal: str
    reason: str


def as_fact(refused: Mapping[tuple[str, str], str]) -> dict[str, str]:
    """(site, goal) → reason, as `facts` of a commit of gold.attribution_fitted."""
    refusals = [_Refusal(*key, reason) for key, reason in sorted(refused.items())]
    return {_FACT: msgspec.json.encode(refusals).decode()}


def sentences(lake: Lake) -> tuple[str, ...]:
    """As the newest rows were made; none before the first."""
    from nextclick.definitions.attribution import FITTED  # with numpy, and few ask

    said = delta.newest_fact(lake, ATTRIBUTION_FITTED.name, _FACT)
    refusals = msgspec.json.decode(said, type=list[_Refusal]) if said else []
    return tuple(
        f"{' and '.join(FITTED)} say nothing of {each.goal} on {each.site}: {each.reason}." for each in refusals
    )
