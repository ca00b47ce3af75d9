"""The key-value tables: finished lists, in versions, and live profiles, each behind one protocol with two backends.

    LMDB    embedded, the default: folders below the lake's state folder
    Redis   one store for many machines: a key prefix a version, and one for the profiles

Readers, and programs that need the cursor of the export that is served, start here; lists are
written by `nextclick export` alone, profiles by the collector. backends.py has the table of backends.
"""

from nextclick.kv.backends import BACKENDS
from nextclick.kv.lists.protocol import ListsTable, VersionManifest
from nextclick.kv.profiles.protocol import Profiles
from nextclick.settings import Settings

RECOMMENDATIONS = "recommendations"


def open_table(settings: Settings, name: str = RECOMMENDATIONS) -> ListsTable:
    """The table of the configured backend; nothing is connected or created before its first use."""
    return BACKENDS[settings.kv.backend].lists(settings, name)


def open_profiles(settings: Settings) -> Profiles:
    """The live profiles of the configured backend; nothing is connected or created before their first use."""
    return BACKENDS[settings.kv.backend].profiles(settings)


def shared(settings: Settings) -> bool:
    """Whether the configured backend is one store for many machines, asked over the network."""
    return BACKENDS[settings.kv.backend].shared


def current(settings: Settings) -> VersionManifest | None:
    """What the version that is served now was made from; None before the first export."""
    return open_table(settings).current()
