"""The station `learn_actions`: what was decided, and what came of it, becomes what the policy knows."""

import time
from collections.abc import Callable

from nextclick.contracts.silver import EVENTS
from nextclick.lake import delta, locks
from nextclick.report import JobReport
from nextclick.settings import Settings
from serving.next_best_action import actions, judge, outcomes, state
from serving.next_best_action.cells import fold

JOB = "learn_actions"
LOCK = "actions"


def run(settings: Settings, progress: Callable[..., None] | None = None) -> JobReport:
    """Fold all trials of the window anew; called twice, or after a resend, it writes the same."""
    started = time.perf_counter()
    site = actions.load(settings.conf_dir)
    if not site.actions:
        return JobReport(job=JOB, details={"reason": "conf/actions.toml has no actions: nothing to do."})
    if delta.open_table(settings.lake, EVENTS.name) is None:
        return JobReport(job=JOB, details={"reason": f"{EVENTS.name} was never written: nothing to do."})
    with locks.hold(settings.lake.locks, LOCK, purpose=JOB):
        window = outcomes.read(settings, site.outcome)
        verdict = judge.verdict(window.rows, site, settings)
        learned = state.LearnedActions(
            version=window.version, digest=site.digest, cells=fold(window.rows), verdict=verdict
        )
        before = state.read(settings.lake)
        changed = before is None or (before.cells, before.verdict) != (learned.cells, learned.verdict)
        if before != learned:
            state.write(settings.lake, learned)
    return JobReport(
        job=JOB,
        read=len(window.rows),
        written=sum(map(len, learned.cells.values())) if changed else 0,
        seconds=time.perf_counter() - started,
        details={"policy": "served" if verdict.serves else "none is served", "reason": verdict.reason},
    )
