"""Which files an import reads, and whether they fit its mapping."""

import hashlib
from collections.abc import Iterable, Sequence
from contextlib import closing
from fnmatch import fnmatch
from pathlib import Path

from collector.imports.mapping import Figures, Mapping, Records
from collector.imports.opening import open_source
from collector.imports.source import HistoryFile
from nextclick.errors import MappingError, UsageError

_SAMPLE = 100


def find(paths: Iterable[Path], names: Sequence[str]) -> list[Path]:
    """The named files, and of named folders the files below whose names fit one of `names`, sorted."""
    files: dict[Path, None] = {}
    for path in paths:
        if not path.exists():
            raise UsageError(f"{path} is not there. Name files or folders of history.")
        if not (path.is_file() or path.is_dir()):  # it is read twice: a pipe would be empty by then
            raise UsageError(f"{path} is a pipe or a device. Write what comes from it to a file first.")
        below = sorted(file for file in path.rglob("*") if _counts(file, path, names)) if path.is_dir() else [path]
        if not below:
            raise UsageError(f"{path} has no file named like {', '.join(names)}. Name the files themselves.")
        files.update(dict.fromkeys(below))
    return list(files)


def check(path: Path, mapping: Mapping, records: Records | Figures) -> None:
    """MappingError if the file lacks a column that the mapping needs; an empty file lacks none."""
    with closing(open_source(path, mapping)) as source:
        columns = source.columns if source.columns is not None else _seen(source)
        if source.damage or not columns:
            return
        if source.columns is not None and len(set(columns)) < len(columns):
            raise MappingError(f"{path} has a column twice: {', '.join(columns)}. Rename one in the header.")
    for group in records.wanted():
        if not any(named(column, columns) for column in group):
            raise MappingError(
                f"The mapping {mapping.name} needs the column {' or '.join(group)}, which {path} lacks. "
                f"Its columns are: {', '.join(columns)}. Choose another mapping, or mark the column with a '?' if it may be missing."
            )


def named(column: str, columns: Iterable[str]) -> str | None:
    """The one of `columns` that a mapping means by `column`, in which one `*` may stand for any text."""
    before, star, behind = column.removesuffix("?").partition("*")
    if not star:
        return before if before in columns else None
    fitting = (
        name
        for name in columns
        if name.startswith(before) and name.endswith(behind) and len(name) > len(before + behind)
    )
    return next(fitting, None)


def _seen(source: HistoryFile) -> list[str]:
    """The columns of the first records, where each record has its own."""
    first = next(source.batches(0, _SAMPLE), None)
    return list(
        dict.fromkeys(column for row in (first.rows if first else []) if isinstance(row, dict) for column in row)
    )


def digest(path: Path) -> str:
    """BLAKE2b of the file's bytes."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from error


def _counts(file: Path, folder: Path, names: Sequence[str]) -> bool:
    hidden = any(part.startswith(".") for part in file.relative_to(folder).parts)
    return not hidden and file.is_file() and any(fnmatch(file.name.lower(), pattern.lower()) for pattern in names)
