"""A nightly training that learns from what was shown: nothing is learned twice, and how it ended is kept and reported."""

import time
from collections.abc import Callable
from typing import NamedTuple

from ml.data import clicks
from ml.data.clicks import Clicks
from ml.data.interactions import TableVersion
from ml.models.protocol import Stages
from ml.registry import store
from ml.registry import verdict as verdicts
from ml.registry.verdict import TrainingVerdict
from nextclick.lake import locks
from nextclick.report import JobReport
from nextclick.settings import Settings


class AnswerTraining(NamedTuple):
    """What tells one such training from another."""

    job: str
    model: str
    """What its progress is called by."""
    lock: str
    kept_at: str
    """The file of its verdict, among the lake's shared ones."""
    key: Callable[[Settings, TableVersion], str]
    """A digest of everything that decides what is learned."""
    lacking: Callable[[Clicks, Settings], str | None]
    """Why nothing can be learned yet."""
    train: Callable[[Settings, Clicks, TableVersion, str], TrainingVerdict]

    def run(self, settings: Settings, progress: Stages, force: bool) -> JobReport:
        """Train on silver.served_items as it stands; without enough rows, or with none that are new, the report says so."""
        started = time.monotonic()
        with locks.hold(settings.lake.locks, self.lock, purpose=self.job):
            shown, source = clicks.read(settings)
            address, key = f"{settings.lake.shared}/{self.kept_at}", self.key(settings, source)
            before = verdicts.last(address)
            if not force and before and before.key == key:
                return verdicts.report(self.job, before, 0, started, "Nothing has changed since the last training.")
            if lacking := self.lacking(shown, settings):
                return verdicts.report(self.job, before, 0, started, lacking)
            store.check(settings.lake)
            progress(self.model, 0, 1)
            verdict = self.train(settings, shown, source, key)
            verdicts.keep(address, verdict)
            progress(self.model, 1, 1)
        return verdicts.report(self.job, verdict, len(shown), started)
