"""Several processes that read one history: each maps every n-th chunk of a file, and the importer lands them in the file's order.

To map rows is nine tenths of an import, and Python does it on one core. All read the whole file, which costs less than to send rows.
"""

import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final, Self

from collector.imports.chunks import FileEnd, Piece, pieces
from collector.imports.reading import Reading
from nextclick.errors import LakeError

WORTH_IT: Final = 8 << 20
"""Bytes of history, most of it packed: with less, one process is done before several have started."""


class Readers:
    """Processes that read `files`, each behind a line, in their order; a context that ends them."""

    def __init__(self, reading: Reading, files: Sequence[tuple[Path, int]], max_bytes: int, processes: int) -> None:
        self._paths = iter([path for path, _ in files])
        self._next = next(self._paths, None)
        self._file = 0
        context = get_context("spawn")  # a copy of this process would hold its locks and files
        self._pipes: list[Connection] = []
        with ExitStack() as stack:
            for turn in range(processes):
                ours, theirs = context.Pipe(duplex=False)
                self._pipes.append(stack.enter_context(ours))
                with theirs:
                    work = context.Process(
                        target=_read, args=(reading, files, max_bytes, turn, processes, theirs), daemon=True
                    )
                    work.start()
                stack.callback(work.join)
                stack.callback(work.terminate)
            self._stack = stack.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def gives(self, path: Path) -> Iterator[Piece | FileEnd] | None:
        """What the file gives, if it is the next of those that they read; raises what a reader of it raised."""
        if path != self._next:
            return None
        self._file, self._next = self._file + 1, next(self._paths, None)
        return self._pieces(self._file - 1)

    def _pieces(self, place: int) -> Iterator[Piece | FileEnd]:
        while True:
            try:
                piece = self._pipes[place % len(self._pipes)].recv()
            except EOFError:
                raise LakeError(
                    "A process that read the history was ended. Nothing is lost: call again to go on."
                ) from None
            if isinstance(piece, Exception):
                raise piece
            yield piece
            if isinstance(piece, FileEnd):
                return
            place += 1


def worth_it(reading: Reading, files: Sequence[tuple[Path, int]]) -> int:
    """How many processes should read these files; below 2: this one alone."""
    return (os.cpu_count() or 1) if reading.splits and sum(path.stat().st_size for path, _ in files) > WORTH_IT else 1


def _read(
    reading: Reading, files: Sequence[tuple[Path, int]], max_bytes: int, turn: int, processes: int, to: Connection
) -> None:
    """Send every piece whose turn it is; an error is the last one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the importer ends the readers
    with suppress(OSError):  # nobody hears any more
        try:
            for number, (path, after) in enumerate(files):
                mine = partial(_is_turn, turn, processes, number)
                for piece in pieces(reading, path, after, max_bytes, mine):
                    to.send(piece)
        except Exception as error:
            to.send(error)


def _is_turn(turn: int, processes: int, file: int, place: int) -> bool:
    """Small files have one piece, and begin with another process each."""
    return (file + place) % processes == turn
