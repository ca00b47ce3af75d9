"""Runs exports that are killed by SIGKILL at a chosen step; a script of test_export_faults.py.

    python killed_export.py LAKE BACKEND REDIS_URL

Each line of stdin is the number of a step: a forked child exports and is killed just
before that step, or, where it sends to Redis, in the middle of it. The answer is a line:
`killed`, or `done` when the export ended before it came to that step. The parent does
nothing but import, so that a child costs no start of its own.
"""

import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import redis.connection

from nextclick.kv.lists.lmdb import _LmdbWriter
from nextclick.settings import Settings, load
from serving.export import export, gold_lists

gold_lists.ROWS = 5  # so that a few people make several chunks


class Fuse:
    """Counts the steps and kills the process at one of them."""

    def __init__(self, step: int) -> None:
        self._left = step

    def burns(self) -> bool:
        self._left -= 1
        return not self._left

    def before(self, owner: Any, name: str) -> None:
        """Make each call of owner.name a step."""
        original: Callable[..., Any] = getattr(owner, name)

        def step(*args: Any, **kwargs: Any) -> Any:
            if self.burns():
                os.kill(os.getpid(), signal.SIGKILL)
            return original(*args, **kwargs)

        setattr(owner, name, step)

    def amid_sending(self, connection: type[Any]) -> None:
        """Make each command, or batch of them, a step that is cut in its middle."""
        original = connection.send_packed_command

        def step(self_: Any, command: bytes | list[bytes], check_health: bool = True) -> Any:
            if self.burns():
                whole = command if isinstance(command, bytes) else b"".join(command)
                self_._sock.sendall(whole[: len(whole) // 2])
                os.kill(os.getpid(), signal.SIGKILL)
            return original(self_, command, check_health)

        connection.send_packed_command = step


def export_with_fuse(settings: Settings, step: int) -> None:
    fuse = Fuse(step)
    if settings.kv.backend == "redis":
        fuse.amid_sending(redis.connection.AbstractConnection)
    for owner, name in (
        (os, "fsync"),
        (Path, "rename"),
        (Path, "replace"),
        (shutil, "rmtree"),
        (_LmdbWriter, "put_many"),
    ):
        fuse.before(owner, name)
    export.run(settings)


def main() -> None:
    lake, backend, url = sys.argv[1:]
    settings = load(lake=lake, environ={})
    settings = msgspec.structs.replace(
        settings, kv=msgspec.structs.replace(settings.kv, backend=backend, redis_url=url, redis_timeout_seconds=5.0)
    )
    for line in sys.stdin:
        child = os.fork()
        if not child:
            export_with_fuse(settings, int(line))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        os.write(1, b"killed\n" if killed else b"done\n" if not status else b"failed\n")


if __name__ == "__main__":
    main()
