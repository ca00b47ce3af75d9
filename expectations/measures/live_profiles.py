"""`nextclick check features`: live profiles made anew from the tables, against those in the store.

Silver says which events are good. The copies of an event (resends, ids used twice) count in a live
profile, too, where the latest one wins, so they are read from bronze: all its rows that silver
neither took nor refused for anything but `id_collision`.
"""

import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from nextclick.errors import LakeError
from nextclick.kv import open_profiles
from nextclick.kv.profiles.protocol import Profiles
from nextclick.lake.delta import open_table, require
from nextclick.lake.duck import connect, show
from nextclick.lake.people import human_events
from nextclick.profile import features_check, profile
from nextclick.profile.features_check import FeaturesCheck
from nextclick.profile.live_arrivals import Arrivals
from nextclick.profile.owned_events import action, owned_sql
from nextclick.profile.profile import Action
from nextclick.settings import Settings

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Owner = tuple[str, str, str]
"""`visitor` or `person`, the site, the id."""
Actions = dict[Owner, list[Action]]

_TOGETHER: Final = 250_000
"""Events that are held in memory at once, about."""
_NAMED: Final = 20
_TABLES: Final = ("silver.events", "silver.quarantine", "bronze.events")
_KEYS: Final = {"visitor": profile.visitor_key, "person": profile.person_key}


def run(settings: Settings, sample: float = 1.0) -> FeaturesCheck:
    """Compare the profiles of a share of all visitors and people, chosen by hash, and leave the result in the lake.

    Raises LakeError where a table is missing.
    """
    oldest = time.time_ns() // 1_000_000 - settings.live.keep_ms
    store = open_profiles(settings)
    compared, unlike = 0, list[Owner]()
    with connect(settings.lake) as duck:
        _show_tables(duck, settings)
        copies = _copies(duck, settings)
        allowed = human_events.allowed(require(settings.lake, "silver.events"), settings.consent.personalization)
        for expected in _parts(duck, oldest, sample, allowed):
            compared += len(expected)
            unlike += _unlike(store, expected, copies, oldest)
    named = [" ".join(owner) for owner in sorted(unlike)[:_NAMED]]
    result = FeaturesCheck(
        profiles=compared,
        differ=len(unlike),
        share=len(unlike) / max(1, compared),
        named=named,
        checked_at=datetime.now(UTC),
    )
    features_check.write(settings.lake, result)
    return result


def _show_tables(duck: "DuckDBPyConnection", settings: Settings) -> None:
    for name in _TABLES:
        table = open_table(settings.lake, name)
        if table is None:
            raise LakeError(f"{name} was never written. Run `nextclick run`, then check again.")
        show(duck, name.replace(".", "_"), settings.lake, name, table)


_COPIES: Final = """
SELECT payload, epoch_ms(received_at)
FROM bronze_events
ANTI JOIN silver_events USING (seq)
ANTI JOIN (SELECT seq FROM silver_quarantine WHERE origin = 'silver' AND reason <> 'id_collision') USING (seq)
WHERE intact
"""


def _copies(duck: "DuckDBPyConnection", settings: Settings) -> dict[bytes, list[Action]]:
    """Actions of the arrivals that silver holds under an earlier copy, or not yet, by the keys of their profiles."""
    arrivals = Arrivals(settings)
    actions: dict[bytes, list[Action]] = {}
    for payload, received_at in duck.execute(_COPIES).fetchall():
        if arrival := arrivals.read(payload.encode(), received_at):
            for key in arrival.keys:
                actions.setdefault(key, []).append(arrival.action)
    return actions


_OWNED: Final = """
CREATE TEMP TABLE owned AS
SELECT hash(kind, site, owner) // 1000 AS part, * FROM ({owned}) WHERE hash(kind, site, owner) % 1000 < $sample * 1000
"""


def _parts(duck: "DuckDBPyConnection", oldest: int, sample: float, allowed: str) -> Iterator[Actions]:
    """All actions of all owners, an owner's in one part."""
    recent = f"epoch_ms(least(occurred_at, received_at)) >= $oldest AND {allowed}"
    owned = owned_sql("silver_events", "visitor", "person", recent)
    duck.execute(_OWNED.format(owned=owned), {"oldest": oldest, "sample": sample})
    rows = duck.execute("SELECT count(*) FROM owned").fetchall()[0][0]
    parts = 1 + rows // _TOGETHER
    for part in range(parts):
        expected: Actions = {}
        for row in duck.execute("FROM owned WHERE part % ? = ?", [parts, part]).fetchall():
            if one := action(row[4], row[5:]):
                expected.setdefault(row[1:4], []).append(one)
        yield expected


def _unlike(store: Profiles, expected: Actions, copies: Mapping[bytes, list[Action]], oldest: int) -> list[Owner]:
    """Owners whose profile in the store is another than their actions make, from `oldest` on."""
    keys = [_KEYS[kind](site, owner) for kind, site, owner in expected]
    differing = []
    for (owner, actions), key, stored in zip(expected.items(), keys, store.get_many(keys), strict=True):
        merged = profile.merge(profile.EMPTY, [*actions, *copies.get(key, ())])
        if merged.since(oldest) != stored.since(oldest):
            differing.append(owner)
    return differing
