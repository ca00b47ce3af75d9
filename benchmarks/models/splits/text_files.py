"""Lines of text files that others made, plain or gzipped; what is wrong is refused by file and line."""

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from nextclick.errors import UsageError

LONGEST_LINE = 1 << 24
"""Bytes; a longer line is not one person's items."""


def existing(folder: Path, name: str) -> Path | None:
    """NAME.txt or NAME.txt.gz of a folder; None where there is neither."""
    return next((path for path in (folder / f"{name}.txt", folder / f"{name}.txt.gz") if path.is_file()), None)


def named(folder: Path, name: str) -> Path:
    """The same; UsageError where there is neither."""
    path = existing(folder, name)
    if path is None:
        raise UsageError(f"{folder} holds neither {name}.txt nor {name}.txt.gz. Name a folder that does.")
    return path


def words(path: Path) -> Iterator[tuple[int, list[str]]]:
    """The words of each line that has any, and its number."""
    return ((number, split) for number, line in lines(path) if (split := line.split()))


def lines(path: Path) -> Iterator[tuple[int, str]]:
    """Each line and its number, from 1 on."""
    number = 0
    try:
        with _open(path) as file:
            while line := file.readline(LONGEST_LINE):
                number += 1
                if len(line) == LONGEST_LINE:
                    raise UsageError(f"{path}, line {number}: longer than {LONGEST_LINE:,} bytes.")
                yield number, line.decode()
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}, after line {number}: {error}. It must be text in UTF-8, gzipped if .gz.") from error


def _open(path: Path) -> IO[bytes]:
    return gzip.open(path) if path.suffix == ".gz" else path.open("rb")  # type: ignore[return-value]
