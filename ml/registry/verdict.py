"""How the last training of a model of one file ended: kept, so that nothing is learned twice, and told."""

import time

import msgspec

from nextclick.lake import files
from nextclick.report import JobReport


class TrainingVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """The last training: what was seen of it, and whether its model is served."""

    key: str
    """Digest of data and settings: the same key, the same verdict."""
    reasons: list[str]
    """Why it is not served; none: it passed."""
    metrics: dict[str, float]
    version: str


def last(address: str) -> TrainingVerdict | None:
    """The verdict that is kept there; None before the first training."""
    content = files.read(address)
    return msgspec.json.decode(content, type=TrainingVerdict) if content is not None else None


def keep(address: str, verdict: TrainingVerdict) -> None:
    """Put it in place of the one before."""
    files.write(address, msgspec.json.format(msgspec.json.encode(verdict)))


def report(
    job: str, verdict: TrainingVerdict | None, read: int, started: float, reason: str | None = None
) -> JobReport:
    """What the job says: of a training of `read` rows, or of the last one where `reason` says why there was none."""
    passed = verdict is not None and not verdict.reasons
    if reason is None and verdict and verdict.reasons:
        reason = "; ".join(verdict.reasons)
    return JobReport(
        job=job,
        read=read,
        written=int(bool(read) and passed),
        seconds=time.monotonic() - started,
        details={
            "version": verdict.version if verdict else None,
            "passed": int(passed) if verdict else None,
            "reason": reason,
            **(verdict.metrics if verdict else {}),
        },
    )
