"""A folder shows few modules at its root, and holds no room for one file."""

from collections import Counter
from pathlib import Path
from typing import Final

from nextclick.settings import CHECKOUT
from tests.architecture.packages import PACKAGES

MOST: Final = 14
"""Modules at the root of a folder; verbs, jobs, dialects and benchmarks, one a file, are lists by nature."""
LISTS: Final = ("cli", "spark_jobs/jobs", "collector/dialects", "benchmarks/speed")


def _modules() -> Counter[Path]:
    files = (file for name in PACKAGES for file in (CHECKOUT / name).rglob("*.py") if file.name != "__init__.py")
    return Counter(file.parent.relative_to(CHECKOUT) for file in files)


def test_no_folder_shows_more_modules_than_a_reader_takes_in() -> None:
    crowded = {str(folder): count for folder, count in _modules().items() if count > MOST and str(folder) not in LISTS}
    assert not crowded


def test_no_folder_is_made_for_one_file() -> None:
    modules = _modules()
    with_rooms = {folder.parent for folder in modules}
    lonely = {str(folder) for folder, count in modules.items() if count == 1 and folder not in with_rooms}
    assert lonely <= {"spark_jobs/transforms/bronze"}  # the layers stand side by side
