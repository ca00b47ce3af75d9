"""Dagster's folder inside the lake, and what stands in its dagster.yaml."""

import atexit
import json
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Final

from nextclick.errors import LakeError
from nextclick.lake import files
from nextclick.lake.paths import Lake

_CONTENT: Final = """\
# Written by nextclick at each start; change orchestration/dagster_home.py instead.
telemetry:
  enabled: false
nux:
  enabled: false
freshness:
  enabled: true
# One run at a time, since a run is one process with one Spark session; and one run a checkpoint (pool) besides.
concurrency:
  runs:
    max_concurrent_runs: 1
  pools:
    granularity: run
    default_limit: 1
event_log_storage:
  module: orchestration.dagster_event_log
  class: DagsterEventLog
  config:
    base_dir: {events}
"""


def prepare(lake: Lake) -> Path:
    """The folder, with its dagster.yaml as it is to be; it serves as DAGSTER_HOME while this process lives."""
    home = _without_question_mark(lake.dagster_home)
    try:
        content = _CONTENT.format(events=json.dumps(str(home / "history" / "runs"), ensure_ascii=False))
        files.write(str(home / "dagster.yaml"), content.encode())
    except OSError as error:
        raise LakeError(f"{home} cannot be written: {error.strerror}. Mend the lake's permissions.") from error
    return home


@cache
def _without_question_mark(home: Path) -> Path:
    """Dagster's addresses of databases end at a ?, so there it gets a link."""
    if "?" not in str(home):
        return home
    home.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="nextclick-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    (folder / "dagster").symlink_to(home)
    return folder / "dagster"
