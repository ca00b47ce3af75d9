"""Copies of gold and of the reports for other tools: a DuckDB file, or schemas of a PostgreSQL (docs/bi.md)."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nextclick.errors import UsageError

if TYPE_CHECKING:
    from analytics.copies.contents import Written
    from nextclick.settings import Settings


def write(
    settings: "Settings", target: str, patterns: Sequence[str], progress: Callable[[int, int], None]
) -> list["Written"]:
    """Write the tables that are like the patterns to FILE.duckdb or postgresql://…; what was written.

    UsageError for another target; else as the modules below say.
    """
    from analytics.copies import duckdb_file, postgresql

    if target.partition("://")[0] in postgresql.SCHEMES:
        return postgresql.share(settings, target, patterns, progress)
    if Path(target).suffix == ".duckdb":
        return duckdb_file.write(settings, Path(target).expanduser(), patterns, progress)
    place = f"{target.partition('://')[0]}://…" if "://" in target else target  # it may hold a password
    raise UsageError(
        f"{place} is no place to share to: name a file, such as shop.duckdb, or postgresql://USER@HOST/DATABASE."
    )
