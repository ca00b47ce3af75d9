"""Facts of gold.anomalies and gold.suspects: each row says why it is there."""

from typing import Final

from expectations.measures.measure_context import Fact, Measure, MeasureContext
from nextclick.contracts.gold_anomalies import ANOMALIES, SUSPECTS, TRAFFIC


def unlike_kinds(look: MeasureContext) -> Fact:
    is_traffic = f"kind = '{TRAFFIC}'"
    return look.count(
        "rows have the figures of another kind",
        f"SELECT 1 FROM whole WHERE (z IS NOT NULL) <> ({is_traffic}) OR (p_value IS NULL) <> ({is_traffic})",
    )


def without_reason(look: MeasureContext) -> Fact:
    return look.count("rows", "SELECT 1 FROM whole WHERE is_suspect <> (len(reasons) > 0)")


FACTS: Final[dict[str, dict[str, Measure]]] = {
    ANOMALIES.name: {"unlike_kinds": unlike_kinds},
    SUSPECTS.name: {"without_reason": without_reason},
}
