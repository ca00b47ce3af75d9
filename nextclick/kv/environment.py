"""LMDB's environments: a process may have each open only once."""

import time
from pathlib import Path
from typing import Any, Final

import lmdb

_LIMIT_SECONDS: Final = 5.0
_AGAIN_SECONDS: Final = 0.001


def open_environment(folder: Path, **options: Any) -> lmdb.Environment:
    """`lmdb.open`, once the environment is closed that another thread of this process is just letting go of.

    Who shares open environments by weak references forgets one a moment before it is closed.
    """
    deadline = time.monotonic() + _LIMIT_SECONDS
    while True:
        try:
            return lmdb.open(str(folder), **options)
        except lmdb.Error as error:
            if "already open" not in str(error) or time.monotonic() > deadline:
                raise
        time.sleep(_AGAIN_SECONDS)
