"""What each person bought and viewed, from gold.interactions, as entries of the exported version: for `hide_bought`, `hide_seen`.

The live profile knows the last days alone, and nothing before a collector ran.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from nextclick.contracts.gold import INTERACTIONS
from nextclick.contracts.gold_lists import RECOMMENDATIONS
from nextclick.kv.lists.packing import History, encode_history, history_key
from nextclick.kv.lists.protocol import Entry
from nextclick.lake import duck
from nextclick.settings import Settings
from serving.export.gold_lists import ROWS, ListsVersion, Packer
from serving.export.item_entries import show

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_HISTORIES = """
    SELECT person_id,
        (list(item_id ORDER BY last_at DESC, item_id) FILTER (purchases > 0))[:$most] AS bought,
        (list(item_id ORDER BY last_at DESC, item_id) FILTER (views + clicks + plays > 0))[:$most] AS seen
    FROM interactions WHERE site = $site {wanted} GROUP BY person_id ORDER BY person_id
"""
_CHANGED = "AND person_id IN (SELECT person_id FROM lists WHERE site = $site AND generated_at > $since)"


def entries(
    database: "DuckDBPyConnection", settings: Settings, source: ListsVersion, packer: Packer, since: datetime | None
) -> Iterator[list[Entry]]:
    """The newest export.history_items of each kind, by person; with `since`, of people whose lists are newer. Numbers new items."""
    params = {"site": source.lists.site, "most": settings.export.history_items}
    if not params["most"]:
        return
    with database.cursor() as connection:
        show(connection, settings, "interactions", INTERACTIONS.name, source.lists.interactions_version)
        if since is not None:
            duck.show(connection, "lists", settings.lake, RECOMMENDATIONS.name, source.table(RECOMMENDATIONS.name))
            params["since"] = since
        query = _HISTORIES.format(wanted="" if since is None else _CHANGED)
        for rows in connection.sql(query, params=params).to_arrow_reader(ROWS):
            numbers = [_packed(packer, rows[name]) for name in ("bought", "seen")]
            people = rows["person_id"].to_pylist()
            histories = zip(people, *numbers, strict=True)
            yield [
                (history_key(person), encode_history(History(bought, seen)))
                for person, bought, seen in histories
                if bought or seen
            ]


def _packed(packer: Packer, lists: pa.ListArray) -> list[bytes]:
    """Each list of ids as little-endian uint32 numbers of items."""
    ends = np.cumsum(pc.fill_null(pc.list_value_length(lists), 0).to_numpy())
    numbers = packer.number(lists.flatten()).astype("<u4")
    return [part.tobytes() for part in np.split(numbers, ends[:-1])]
