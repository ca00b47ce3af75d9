"""What a job did, in the same five counts for every job."""

import msgspec


class JobReport(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of one run of one job; row counts are of this run only."""

    job: str
    read: int = 0
    """Rows taken from the source."""
    written: int = 0
    """Rows inserted or updated in the target."""
    rejected: int = 0
    """Rows sent to quarantine."""
    duplicate: int = 0
    """Rows left out as copies of rows that are already there."""
    seconds: float = 0.0
    """Wall time."""
    details: dict[str, str | int | float | None] = {}
    """Facts of this job alone, such as a table or model version."""

    def line(self) -> str:
        """One line for a log or a summary table."""
        counts = f"read {self.read:,}  written {self.written:,}"
        if self.rejected:
            counts += f"  rejected {self.rejected:,}"
        if self.duplicate:
            counts += f"  duplicate {self.duplicate:,}"
        return f"{self.job}: {counts}  in {self.seconds:.1f} s"
