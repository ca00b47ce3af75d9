"""The lists that people are served: made anew for a new model, else brought up to what changed."""

from ml.jobs import publish_lists, update
from ml.models.protocol import Stages
from nextclick.lake import lists_manifest
from nextclick.report import JobReport
from nextclick.settings import Settings


def run(settings: Settings, progress: Stages) -> JobReport:
    """A full publication if the champion is not the one that made the lists; else an update of those whom news touches."""
    report = publish_lists.run(settings, progress)
    if report.written or lists_manifest.read(settings.lake) is None:
        return report
    return update.run(settings, progress)
