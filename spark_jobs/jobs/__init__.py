"""The jobs, in the order in which the data flows: each a module with `run(spark, settings, trigger)`.

Which there are is said by the tables that they write (nextclick/contracts/catalog.py).
"""

from typing import Final

from nextclick.contracts.catalog import JOBS
from nextclick.contracts.table import Layer

INGEST: Final = tuple(job.name for job in JOBS if not job.reads)
"""Those that read the door's logs."""
SILVER: Final = tuple(job.name for job in JOBS if job.reads and job.layer is Layer.SILVER)
GOLD: Final = tuple(job.name for job in JOBS if job.layer is Layer.GOLD)
STREAMED: Final = (*INGEST, *SILVER)
"""What `nextclick stream` keeps running."""
PROMPT: Final = ("ingest_events", "build_events", "build_sessions")
"""Those of them whose rows people wait for; the others look for news at a slower beat."""
REHEARSED: Final = tuple(name for name in PROMPT if name not in INGEST)
"""Those whose plans are made while the first rows are on their way to them."""
ALL: Final = (*STREAMED, *GOLD)
