"""Bronze: the landing log as it came, one row a line."""

from nextclick.contracts.table import Column, Table

SEQ = Column(
    "seq",
    "struct<batch:bigint,segment:string,position:bigint>",
    "Order of arrival: bronze batch, landing segment (or Kafka partition), position in it (or offset).",
    nullable=False,
)

EVENTS = Table(
    name="bronze.events",
    doc="One row per line of the landing log, or record of Kafka, untouched: an accepted event, or what damage left of one.",
    columns=(
        SEQ,
        Column("received_at", "timestamp", "When the event was accepted; null if the line is damaged."),
        Column("source", "string", "Who sent it: a dialect, `log`, `import:NAME`; null if the line is damaged."),
        Column("payload", "string", "The event as JSON; the whole line if it is damaged.", nullable=False),
        Column("intact", "boolean", "The line's CRC-32 holds.", nullable=False),
    ),
    key=("seq",),
    job="ingest_events",
    does="landing log → bronze",
)
