"""What is expected of gold.anomalies and gold.suspects sees rows that do not say why they are there."""

from pathlib import Path
from typing import Any

import pytest

from expectations.due import due
from expectations.measures.facts import measure
from expectations.measures.measure_context import RunCache
from nextclick.settings import load
from tests.table_rows import write

TRAFFIC = {"kind": "traffic", "subject": "events", "z": 7.0}
RULE = {"kind": "click_flood", "subject": "i1", "p_value": 1e-9}
SUSPECT = {"visitor_id": "bad", "is_suspect": True, "reasons": ["click_flood"]}
LIKELY = {"visitor_id": "likely", "is_suspect": False, "reasons": [], "score": 0.6}


@pytest.mark.parametrize(
    ("table", "rows", "fact", "count"),
    [
        ("gold.anomalies", [TRAFFIC, RULE], "unlike_kinds", 0),
        ("gold.anomalies", [TRAFFIC | {"p_value": 0.1}, RULE | {"z": 1.0}, TRAFFIC | {"z": None, "subject": "x"}], "unlike_kinds", 3),
        ("gold.suspects", [SUSPECT, LIKELY], "without_reason", 0),
        ("gold.suspects", [SUSPECT | {"reasons": []}, LIKELY | {"reasons": ["bot"]}], "without_reason", 2),
    ],
)  # fmt: skip
def test_rows_say_why_they_are_there(
    table: str, rows: list[dict[str, Any]], fact: str, count: int, tmp_path: Path
) -> None:
    settings = load(tmp_path, profile="test", environ={})
    settings.lake.prepare()
    write(settings.lake, table, rows)
    (part,) = due(settings, [table], all_rows=True)
    seen = measure(part, RunCache(settings))
    assert (seen[fact].value, seen["types"].value, seen["key_unique"].value) == (count, 0, 0)
