"""Where imports and replays publish: the logs of this machine, or, where Kafka stands before bronze, those of the outbox."""

from pathlib import Path

from nextclick.settings import Settings


def logs(settings: Settings) -> tuple[Path, Path]:
    """The folders of events and of rejects."""
    root = settings.lake.outbox if settings.collector.sink == "kafka" else settings.lake.root
    return root / "landing", root / "quarantine"


def all_logs(settings: Settings) -> tuple[Path, ...]:
    """Those of either sink: a killed import may have been of the other one."""
    return tuple(
        root / name for root in (settings.lake.root, settings.lake.outbox) for name in ("landing", "quarantine")
    )
