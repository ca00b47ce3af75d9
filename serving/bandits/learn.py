"""The station `learn_bandits`: what was shown and clicked since the window began becomes the bandits' state."""

import time
from collections.abc import Callable

from nextclick.contracts.silver import EVENTS
from nextclick.lake import delta, locks
from nextclick.report import JobReport
from nextclick.settings import Settings
from serving.bandits import state, trials

JOB = "learn_bandits"
LOCK = "bandits"


def run(settings: Settings, progress: Callable[..., None] | None = None) -> JobReport:
    """Fold all trials of the window anew; called twice, or after a resend, it writes the same state."""
    started = time.perf_counter()
    if delta.open_table(settings.lake, EVENTS.name) is None:
        return JobReport(job=JOB, details={"reason": f"{EVENTS.name} was never written: nothing to do."})
    with locks.hold(settings.lake.locks, LOCK, purpose=JOB):
        window = trials.read(settings, learned=True)
        learned = state.State(version=window.version, bandits=state.fold(window.rows))
        before = state.read(settings.lake)
        changed = before is None or before.bandits != learned.bandits
        if before != learned:
            state.write(settings.lake, learned)
    return JobReport(
        job=JOB,
        read=len(window.rows),
        written=sum(map(len, learned.bandits.values())) if changed else 0,
        seconds=time.perf_counter() - started,
        details={name: f"{state.shown(arms):,} trials" for name, arms in learned.bandits.items()},
    )
