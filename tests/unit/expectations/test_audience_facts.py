"""What is expected of silver.audience_changes sees a change that is none."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from expectations.due import due
from expectations.measures.facts import measure
from expectations.measures.measure_context import RunCache
from nextclick.settings import load
from tests.table_rows import NOON, write


def change(minute: int, entered: bool, **more: Any) -> dict[str, Any]:
    return {
        "site": "s",
        "audience": "a",
        "subject_id": "v",
        "changed_at": NOON + timedelta(minutes=minute),
        "entered": entered,
    } | more


@pytest.mark.parametrize(
    ("rows", "repeated"),
    [
        ([change(3, True), change(1, True), change(2, False)], 0),
        ([change(1, True), change(2, True)], 1),
        ([change(1, False)], 1),
        ([change(1, True), change(2, True, subject_kind="user"), change(3, True, audience="b"), change(4, False)], 0),
    ],
)
def test_each_change_says_other_than_the_one_before_it(
    tmp_path: Path, rows: list[dict[str, Any]], repeated: int
) -> None:
    settings = load(tmp_path, profile="test", environ={})
    settings.lake.prepare()
    write(settings.lake, "silver.audience_changes", rows)
    (part,) = due(settings, ["silver.audience_changes"], all_rows=True)
    seen = measure(part, RunCache(settings))
    assert (seen["key_unique"].value, seen["types"].value, seen["repeated_changes"].value) == (0, 0, repeated)
