"""The backends of the key-value tables by their name in kv.backend: each keeps finished lists and live profiles.

A new one: its modules, its entry here, its name in `settings.KvSettings.backend` and conf/default.toml (tests/unit/test_kv_backends.py
says which of these is forgotten), and a place in both behaviour suites (each says so itself).
"""

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from nextclick.kv.lists.protocol import ListsTable
from nextclick.kv.profiles.protocol import Profiles
from nextclick.settings import Settings


class Backend(NamedTuple):
    """How a backend is opened; nothing is connected or created, and its client not imported, before that."""

    lists: Callable[[Settings, str], ListsTable]
    """The table of this name."""
    profiles: Callable[[Settings], Profiles]
    shared: bool
    """Machines share it: it is asked over the network, within a time limit. Else it is read where it is asked, in microseconds."""


def _lmdb_lists(settings: Settings, name: str) -> ListsTable:
    from nextclick.kv.lists.lmdb import LmdbTable

    return LmdbTable(settings.lake.kv / name, settings.kv.map_gib << 30)


def _lmdb_profiles(settings: Settings) -> Profiles:
    from nextclick.kv.profiles.lmdb import LmdbProfiles

    return LmdbProfiles(settings.lake.kv / "profiles", settings.kv.map_gib << 30)


def _redis_lists(settings: Settings, name: str) -> ListsTable:
    from nextclick.kv.lists.redis import RedisTable

    return RedisTable(settings.kv.redis_url, f"nextclick:{settings.site}:{name}", settings.kv.redis_timeout_seconds)


def _redis_profiles(settings: Settings) -> Profiles:
    from nextclick.kv.profiles.redis import RedisProfiles

    prefix = f"nextclick:{settings.site}:profiles"
    return RedisProfiles(settings.kv.redis_url, prefix, settings.kv.redis_timeout_seconds, settings.live.keep_ms)


BACKENDS: Final[Mapping[str, Backend]] = {
    "lmdb": Backend(_lmdb_lists, _lmdb_profiles, shared=False),
    "redis": Backend(_redis_lists, _redis_profiles, shared=True),
}
