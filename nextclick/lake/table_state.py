"""What the tables hold now, from their Delta logs alone: no JVM, no row is read."""

from datetime import UTC, datetime

import msgspec

from nextclick.contracts.catalog import TABLES
from nextclick.errors import LakeError
from nextclick.lake import delta
from nextclick.lake.paths import Lake


class TableState(msgspec.Struct, frozen=True):
    """One table as its newest version stands; a table that was never written has no version."""

    rows: int = 0
    version: int | None = None
    updated_at: datetime | None = None
    """Time of the newest commit."""


StampedStates = dict[str, tuple[tuple[str, int], TableState]]
"""By table: its log_stamp, and what it held then."""


def table_state(lake: Lake, name: str) -> TableState:
    """Rows are summed from the statistics that every writer leaves in the log."""
    import pyarrow.compute as pc  # here, since Dagster's definitions are to load at once

    table = delta.open_table(lake, name)
    if table is None:
        return TableState()
    try:
        files = delta.added(table)
        rows = pc.sum(files["num_records"]).as_py() if "num_records" in files.schema.names else 0
        committed = delta.committed_ms(lake, name, table)
    except delta.errors() as error:
        raise LakeError(f"The Delta log of {name} cannot be read: {error}. See docs/jobs/recovery.md.") from error
    updated_at = datetime.fromtimestamp(committed / 1000, UTC) if committed else None
    return TableState(rows or 0, table.version(), updated_at)


def table_states(lake: Lake, known: StampedStates | None = None) -> dict[str, TableState]:
    """All tables of the catalog, in flow order. `known`, which it adds to: of a log that did not grow since, nothing is read."""
    known = {} if known is None else known
    for table in TABLES:
        stamp = delta.log_stamp(lake, table.name)
        if table.name not in known or known[table.name][0] != stamp:
            known[table.name] = stamp, table_state(lake, table.name)
    return {table.name: known[table.name][1] for table in TABLES}
