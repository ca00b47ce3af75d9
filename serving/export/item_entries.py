"""What silver and gold say of items, as entries of the version that is being exported: the catalogue and the vectors, chunk by chunk.

The chunks follow the table of item ids: what a list names and what silver.items has stand in one table, so that
lists and catalogue are of one version, and an index means the same in both.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds

from nextclick.contracts.gold import INTERACTIONS
from nextclick.contracts.gold_lists import ITEM_VECTORS
from nextclick.contracts.silver import ITEMS
from nextclick.errors import LakeError
from nextclick.kv.lists.packing import CHUNK, DescribedItems, chunks, encode_shelf, shelf_key, vectors_key
from nextclick.kv.lists.protocol import Entry
from nextclick.lake import delta, duck
from nextclick.settings import Settings
from serving.export.gold_lists import ListsVersion, Packer

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_UNKNOWN = (None, None, None, None, None, None, None, None, 0.0)
_CATALOGUE = "SELECT coalesce(bool_or(in_catalogue), false) FROM items WHERE site = $site"
_ITEMS = """
    SELECT coalesce(i.item_id, s.item_id) AS item_id, i.name, i.category, i.price::DOUBLE AS price, i.currency, i.available,
        i.attributes, epoch_ms(i.first_seen) AS first_seen, epoch_ms(i.last_seen) AS last_seen,
        coalesce(s.strength, 0.0) AS strength,
        CASE WHEN $catalogue THEN i.in_catalogue IS DISTINCT FROM false AND i.item_id IS NOT NULL
            ELSE s.item_id IS NOT NULL END AS recommendable
    FROM (FROM items WHERE site = $site) AS i
    FULL JOIN (
        SELECT item_id, sum(strength * pow(2, -epoch(newest - last_at) / $half_life)) AS strength
        FROM (SELECT *, max(last_at) OVER () AS newest FROM interactions WHERE site = $site) GROUP BY item_id
    ) AS s USING (item_id)
    ORDER BY item_id
"""


def version(settings: Settings) -> int | None:
    """The Delta version of silver.items now; None before its first."""
    table = delta.open_table(settings.lake, ITEMS.name)
    return None if table is None else int(table.version())


def entries(
    database: "DuckDBPyConnection", settings: Settings, source: ListsVersion, packer: Packer, at: int | None
) -> list[Entry]:
    """The whole catalogue: items of silver.items at version `at`, and of gold.interactions as the lists account for.

    Items that are new to the version are numbered.
    """
    rows, known = _catalogue(database, settings, source, at)
    unknown = (*_UNKNOWN, not known)  # without a catalogue, what a list names was used by people
    facts: dict[int, tuple[Any, ...]] = {}
    if len(rows):
        numbers = packer.number(rows["item_id"].combine_chunks()).tolist()
        columns = [rows[name].to_pylist() for name in rows.column_names if name != "item_id"]
        facts = dict(zip(numbers, zip(*columns, strict=True), strict=True))
    return [
        (shelf_key(number), _shelf([facts.get(place, unknown) for place in _places(number, packer.item_count)]))
        for number in chunks(packer.item_count)
    ]


def vectors(source: ListsVersion, packer: Packer) -> list[Entry]:
    """All item vectors of the export; items that are new to the version are numbered."""
    about = source.lists.vectors
    if about is None:
        return []
    rows = source.table(ITEM_VECTORS.name).to_pyarrow_dataset()
    table = rows.to_table(columns=["item_id", "vector"], filter=ds.field("site") == source.lists.site)
    numbers = packer.number(table["item_id"].combine_chunks())
    packed = np.zeros((packer.item_count, about.dimensions), "<f2")
    packed[numbers] = table["vector"].combine_chunks().flatten().to_numpy().reshape(-1, about.dimensions)
    return [
        (vectors_key(number), packed[number * CHUNK : (number + 1) * CHUNK].tobytes())
        for number in chunks(packer.item_count)
    ]


def _catalogue(
    database: "DuckDBPyConnection", settings: Settings, source: ListsVersion, at: int | None
) -> tuple[pa.Table, bool]:
    """One row an item that silver or gold knows; and whether the site has a catalogue, which alone says then what is recommended."""
    with database.cursor() as connection:
        show(connection, settings, "items", ITEMS.name, at)
        show(connection, settings, "interactions", INTERACTIONS.name, source.lists.interactions_version)
        half_life = settings.interactions.half_life.total_seconds()
        site = {"site": source.lists.site}
        ((known,),) = connection.execute(_CATALOGUE, site).fetchall()
        params = site | {"half_life": half_life, "catalogue": known}
        return connection.sql(_ITEMS, params=params).to_arrow_table(), known


def show(connection: "DuckDBPyConnection", settings: Settings, view: str, name: str, at: int | None) -> None:
    """Version `at` of a table as a view; the newest where that one is gone, and an empty one where there is none."""
    try:
        table = delta.open_table(settings.lake, name, at)
    except LakeError:
        table = delta.open_table(settings.lake, name)
    duck.show(connection, view, settings.lake, name, table)


def _places(number: int, count: int) -> range:
    return range(number * CHUNK, min((number + 1) * CHUNK, count))


def _shelf(rows: list[tuple[Any, ...]]) -> bytes:
    names, categories, prices, currencies, available, attributes, first, last, strengths, recommendable = map(
        list, zip(*rows, strict=True)
    )
    described = [dict(pairs) if pairs else None for pairs in attributes]
    return encode_shelf(
        DescribedItems(
            names, categories, prices, currencies, available, described, first, last, strengths, recommendable
        )
    )
