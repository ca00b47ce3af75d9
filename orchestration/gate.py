"""Rule 10: nothing downstream starts while a stop stands on a table that it reads.

The block is a fact in gold.data_quality, so the command line, Dagster and any other run
meet the same one.
"""

from nextclick.report import JobReport
from nextclick.settings import Settings


def admit(settings: Settings, tables: tuple[str, ...]) -> None: ...
def check(settings: Settings, name: str, tables: tuple[str, ...]) -> JobReport:
    return JobReport(job=name)
