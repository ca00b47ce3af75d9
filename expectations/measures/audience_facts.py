"""Facts of silver.audience_changes: of one subject each change says other than the one before it, and the first that it entered."""

from typing import Final

from expectations.measures.measure_context import Fact, Measure, MeasureContext
from nextclick.contracts.silver_served import AUDIENCE_CHANGES

_SUBJECT: Final = ", ".join(AUDIENCE_CHANGES.key[:-1])


def repeated_changes(look: MeasureContext) -> Fact:
    before = f"SELECT entered, lag(entered) OVER (PARTITION BY {_SUBJECT} ORDER BY changed_at) AS was FROM whole"
    return look.count(
        "changes say what the one before them said", f"SELECT 1 FROM ({before}) WHERE entered = coalesce(was, false)"
    )


FACTS: Final[dict[str, dict[str, Measure]]] = {AUDIENCE_CHANGES.name: {"repeated_changes": repeated_changes}}
