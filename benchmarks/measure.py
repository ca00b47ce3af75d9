"""What the benchmarks share: seconds, the memory of a whole process tree, and a ratio in words."""

import os
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

PAGE: Final = os.sysconf("SC_PAGE_SIZE")
TICKS: Final = os.sysconf("SC_CLK_TCK")


class Figure:
    """Seconds, processor time, and peak resident megabytes of this process and its descendants, of one measured block."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.processor = 0.0
        """Seconds of all cores; as last sampled, since who has ended is no longer there to be asked."""
        self.peak_mb = 0.0


@contextmanager
def measured(interval: float = 0.5) -> Iterator[Figure]:
    """Measure a block; memory and processor time are sampled every `interval` seconds."""
    figure, stop, before = Figure(), threading.Event(), cpu_seconds(os.getpid())

    def sample() -> None:
        while not stop.wait(interval):
            figure.peak_mb = max(figure.peak_mb, resident_mb(os.getpid()))
            figure.processor = max(figure.processor, cpu_seconds(os.getpid()) - before)

    sampler = threading.Thread(target=sample, daemon=True)
    sampler.start()
    started = time.monotonic()
    try:
        yield figure
    finally:
        figure.seconds = time.monotonic() - started
        stop.set()
        sampler.join()


@contextmanager
def lake_folder(benchmark: str, kept: str | None) -> Iterator[Path]:
    """A folder for what a benchmark makes: `kept`, which stays, or one that is removed at the end."""
    folder = Path(kept or tempfile.mkdtemp(prefix=f"nextclick-{benchmark}-"))
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield folder
    finally:
        if not kept:
            shutil.rmtree(folder)


def resident_mb(root: int) -> float:
    """Resident memory of a process and all its descendants, MB (Linux: /proc)."""
    return sum(int((entry / "statm").read_text().split()[1]) for entry in _family(root)) * PAGE / 1e6


def own_mb(root: int) -> float:
    """Resident megabytes as above, without pages of files that are mapped and memory that is shared."""
    return (
        sum(
            int(line.split()[1])
            for entry in _family(root)
            for line in (entry / "status").read_text().splitlines()
            if line.startswith("RssAnon:")
        )
        / 1000
    )


def cpu_seconds(root: int) -> float:
    """Processor time that a process and its descendants have used so far (Linux: /proc): what others do hardly changes it."""
    fields = ((entry / "stat").read_text().rpartition(")")[2].split() for entry in _family(root))
    return sum(int(field[11]) + int(field[12]) for field in fields) / TICKS


def _family(root: int) -> list[Path]:
    """The folders in /proc of a process and its descendants."""
    children: dict[int, list[Path]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):  # it has ended
                children.setdefault(int((entry / "stat").read_text().rpartition(")")[2].split()[1]), []).append(entry)
    family = [Path("/proc") / str(root)]
    for member in family:
        family += children.get(int(member.name), [])
    return [member for member in family if (member / "stat").exists()]


def ratio(name: str, ours: float, baseline_name: str, baseline: float, limit: float, at_least: bool = False) -> str:
    """One line: the ratio of ours to the baseline, and the goal."""
    value = ours / baseline if baseline else float("inf")
    goal = f"{'≥' if at_least else '≤'} {limit:g}"
    held = value >= limit if at_least else value <= limit
    return f"{name}: {value:.2f} × {baseline_name} (goal {goal}: {'holds' if held else 'MISSED'})"
