"""Next click and next day on the news portal's clicks: the blends served, against popularity, VMIS-kNN and ALS.

    .venv/bin/python -m benchmarks.globo --clicks ../shared/data/globo-clicks [--share 1.0] [--json]

Training is what was clicked before 2017-10-13T03:00:00Z, the test the 24 hours from then,
by the time of each click and never by file. Parameters are chosen on the last day of
training. docs/next-item.md says what is asked and what each contender knows.
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.csv as csv
import pyarrow.dataset as ds

from ml.interactions import IdMap
from ml.sessions import Sessions, from_clicks

CUT = int(datetime(2017, 10, 13, 3, tzinfo=UTC).timestamp()) * 1_000_000
HOUR = 3_600_000_000
GAP = timedelta(minutes=30)
COLUMNS = {"user_id": pa.string(), "click_article_id": pa.string(), "click_timestamp": pa.int64()}


class Clicks(NamedTuple):
    """All clicks in sessions of a 30-minute gap, and whose they are."""

    sessions: Sessions
    people: IdMap


def load(folder: Path) -> Clicks:
    """Read the hourly files, in about 4 s."""
    types = csv.ConvertOptions(column_types=COLUMNS)
    table = ds.dataset(folder, format=ds.CsvFileFormat(convert_options=types)).to_table(columns=list(COLUMNS))
    (person, people), (item, items) = (_encoded(table[name]) for name in ("user_id", "click_article_id"))
    return Clicks(from_clicks(items, person, item, table["click_timestamp"].to_numpy() * 1000, GAP), people)


def _encoded(values: pa.ChunkedArray) -> tuple[Any, IdMap]:
    encoded = values.combine_chunks().dictionary_encode()
    return encoded.indices.to_numpy(), IdMap(encoded.dictionary)
