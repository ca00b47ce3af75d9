"""What is foreseen of each person, from gold.predictions, as entries of the exported version; and what is said of all of it."""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import msgspec

from nextclick.contracts.gold import PREDICTIONS as TABLE
from nextclick.kv.lists.packing import FORESEEN, PREDICTIONS, prediction_key
from nextclick.kv.lists.protocol import Entry
from nextclick.lake import delta, duck
from nextclick.profile import predictions
from nextclick.profile.predictions import COUNTED, NIGHTLY, SESSION, Foreseeing, Predictions
from nextclick.settings import Settings
from serving.export.gold_lists import ListsVersion

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_ROWS: Final = 50_000
_OF_PEOPLE: Final = f"""
SELECT subject_id, {", ".join(f"max(calibrated) FILTER (model = '{name}') AS {name}" for name in NIGHTLY)}
FROM predictions WHERE site = $site GROUP BY subject_id ORDER BY subject_id
"""


def entries(database: "DuckDBPyConnection", source: ListsVersion, known: Predictions | None) -> Iterator[list[Entry]]:
    """An entry for each person; none before the first training of predictions."""
    if known is None:
        return
    with database.cursor() as connection:
        table = delta.require(source.lake, TABLE.name, known.table_version)
        duck.show(connection, "predictions", source.lake, TABLE.name, table)
        rows = connection.execute(_OF_PEOPLE, {"site": source.lists.site})
        while block := rows.fetchmany(_ROWS):
            yield [(prediction_key(person), _packed(known.as_of, *values)) for person, *values in block]


def said(settings: Settings, known: Predictions | None) -> list[Entry]:
    """What is said of all of them. ModelError where the model of sessions is not the one that was registered."""
    if known is None:
        return []
    standing = known.served.get(SESSION)
    passed = (
        standing if standing and standing.version != COUNTED else None
    )  # else counted rates of the export itself serve
    foreseeing = Foreseeing(
        as_of=known.as_of,
        versions={name: one.version for name, one in known.served.items()},
        session=predictions.model(settings.lake, SESSION, passed) if passed else None,
    )
    return [(PREDICTIONS, msgspec.msgpack.encode(foreseeing))]


def _packed(as_of: int, *probabilities: float | None) -> bytes:
    return FORESEEN.pack(as_of, *(math.nan if one is None else one for one in probabilities))
