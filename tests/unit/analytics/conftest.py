"""A lake of events written by hand."""

from collections.abc import Callable, Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from nextclick.settings import Settings, load
from tests.table_rows import NOON, write

WriteEvents = Callable[[Iterable[tuple[str, float, str, dict[str, Any]]]], Settings]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load(tmp_path, profile="test", environ={})


@pytest.fixture
def events(settings: Settings) -> WriteEvents:
    """`events([(visitor, minutes since NOON, kind, other fields), …])` writes them as one commit; the lake's settings."""

    def written(rows: Iterable[tuple[str, float, str, dict[str, Any]]]) -> Settings:
        write(
            settings.lake,
            "silver.events",
            [
                {"site": "shop", "visitor_id": visitor, "occurred_at": NOON + timedelta(minutes=minutes), "event": kind}
                | fields
                for visitor, minutes, kind, fields in rows
            ],
        )
        return settings

    return written
