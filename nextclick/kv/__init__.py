"""The key-value table: finished lists, in versions, behind one protocol with two backends.

    LMDB    embedded, the default: a folder a version below the lake's state folder
    Redis   one store for many machines: a key prefix a version

Readers, and whoever needs the cursor of the export that is served, start here; only
`nextclick export` writes.
"""

from nextclick.kv.protocol import Manifest, Table
from nextclick.settings import Settings

RECOMMENDATIONS = "recommendations"


def open_table(settings: Settings, name: str = RECOMMENDATIONS) -> Table:
    """The table of the configured backend; nothing is connected or created before its first use."""
    if settings.kv.backend == "redis":
        from nextclick.kv.redis import RedisTable

        return RedisTable(settings.kv.redis_url, f"nextclick:{settings.site}:{name}", settings.kv.redis_timeout_seconds)
    from nextclick.kv.lmdb import LmdbTable

    return LmdbTable(settings.lake.kv / name, settings.kv.map_gib << 30)


def current(settings: Settings) -> Manifest | None:
    """What the version that is served now was made from; None before the first export."""
    return open_table(settings).current()
