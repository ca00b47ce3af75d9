"""Parquet: typed columns; a file that was cut cannot be read at all, since its index stands at the end."""

from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import pyarrow
from pyarrow.parquet import ParquetFile

from collector.imports.cells import Row
from collector.imports.formats.json_lines import flat
from collector.imports.source import HistoryFile, RecordBatch

_ERRORS = (pyarrow.ArrowException, OSError)


class Parquet(HistoryFile):
    """A Parquet file; a nested field has the column `a.b`."""

    def __init__(self, path: Path, file: IO[bytes]) -> None:
        super().__init__(path, file)
        self._table: ParquetFile | None = None
        self._rows = 0
        try:
            self._table = ParquetFile(file)
            self.columns = _columns(self._table.schema_arrow)
        except _ERRORS as error:
            self.damage = f"it is no whole Parquet file: {error}"

    def batches(self, after: int, size: int) -> Iterator[RecordBatch]:
        try:
            for batch in self._table.iter_batches(size) if self._table else ():
                skipped = max(0, min(after - self._rows, batch.num_rows))
                numbers = range(self._rows + skipped + 1, self._rows + batch.num_rows + 1)
                self._rows += batch.num_rows
                rows = _rows(batch.slice(skipped))
                yield RecordBatch(numbers, [flat(row) for row in rows], rows, self._rows)
        except _ERRORS as error:
            self.damage = f"it cannot be read on: {error}"

    def tell(self) -> int:
        size = self.path.stat().st_size
        return size * self._rows // max(1, self._table.metadata.num_rows) if self._table else size


def _rows(batch: pyarrow.RecordBatch) -> list[Row]:
    try:
        rows: list[Row] = batch.to_pylist()
    except (ValueError, OverflowError):
        names = batch.schema.names
        return [
            {name: _value(column[row]) for name, column in zip(names, batch.columns, strict=True)}
            for row in range(batch.num_rows)
        ]
    return rows


def _value(cell: pyarrow.Scalar) -> Any:
    """The value, or as text what no type of Python holds: a time beyond the year 9999, text that is no UTF-8."""
    try:
        return cell.as_py()
    except UnicodeDecodeError:
        return cell.as_buffer().to_pybytes() if hasattr(cell, "as_buffer") else str(cell.type)
    except (ValueError, OverflowError):
        return f"{cell.type} {getattr(cell, 'value', '')}".strip()


def _columns(fields: "pyarrow.Schema | pyarrow.StructType", prefix: str = "") -> list[str]:
    names: list[str] = []
    for field in fields:
        nested = pyarrow.types.is_struct(field.type)
        names += _columns(field.type, f"{prefix}{field.name}.") if nested else [prefix + field.name]
    return names
