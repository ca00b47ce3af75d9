"""HotSpot's second compiler, beside queries that share a few cores."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, cast

from pyspark.sql import SparkSession

_NAME: Final = "C2 CompilerThre"
"""As Linux has it, cut at 15 characters."""


def compile_when_idle(spark: SparkSession) -> None:
    """Let the second compiler have the processor when no batch wants it: in the first minutes it would take a third of it.

    What it makes pays within hours; until then the code of the first one serves. Threads that it starts are as it is. Where the
    system has no such threads, nothing is done.
    """
    process = cast(Any, spark)._jvm.java.lang.ProcessHandle.current().pid()
    for thread in Path(f"/proc/{process}/task").glob("*"):
        with suppress(OSError):  # it has ended, or is not ours to change
            if (thread / "comm").read_text().strip() == _NAME:
                os.setpriority(os.PRIO_PROCESS, int(thread.name), 19)
