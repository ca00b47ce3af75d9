"""What is out of the ordinary, as gold.anomalies says it: for the status, metrics, the dashboard and the command line."""

from datetime import datetime

import msgspec

from nextclick.contracts.gold_anomalies import ANOMALIES, OPEN
from nextclick.lake import delta
from nextclick.lake.paths import Lake


class Anomaly(msgspec.Struct, frozen=True, kw_only=True):
    """A row of gold.anomalies."""

    site: str
    kind: str
    subject: str
    step_start: datetime
    step_end: datetime
    observed: float
    expected: float
    z: float | None
    p_value: float | None
    severity: str
    model_version: str
    first_seen: datetime
    state: str
    source_version: int


def read(lake: Lake, every: bool = False) -> list[Anomaly] | None:
    """Those that are open, or all of them, the newest first; None where nobody looked yet."""
    import pyarrow.compute as pc

    table = delta.open_table(lake, ANOMALIES.name)
    if table is None:
        return None
    rows = table.to_pyarrow_dataset().to_table(filter=None if every else pc.field("state") == OPEN)
    newest_first = rows.sort_by([("step_start", "descending"), ("kind", "ascending"), ("subject", "ascending")])
    return msgspec.convert(newest_first.to_pylist(), list[Anomaly])
